// What each function costs as each system computes it: npm run presets [-- --check]
// Needs `npm run build` before. Prints the tables of docs/presets.md; --check fails where the page shows others.
import { readFileSync } from "node:fs";
import { presetTable, publishedTable } from "../dist/scripts/tables/presets.js";

const tables = [presetTable(), publishedTable()];
console.log(tables.join("\n\n"));
if (process.argv.includes("--check")) {
  const page = readFileSync(new URL("../docs/presets.md", import.meta.url), "utf8");
  if (!tables.every((table) => page.includes(`-->\n${table}\n<!--`))) {
    console.error("docs/presets.md shows other tables: BLESS=1 npx vitest run test/docs/presets");
    process.exit(1);
  }
}
