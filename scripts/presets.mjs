// What each function costs as each system computes it: npm run presets [-- --check]
// Needs `npm run build` before. Prints the table of docs/presets.md; --check fails where the page shows another.
import { readFileSync } from "node:fs";
import { presetTable } from "../dist/compiler/report/presets.js";

const table = presetTable();
console.log(table);
if (process.argv.includes("--check")) {
  const page = readFileSync(new URL("../docs/presets.md", import.meta.url), "utf8");
  if (!page.includes(`-->\n${table}\n<!--`)) {
    console.error("docs/presets.md shows another table: BLESS=1 npx vitest run test/docs/presets");
    process.exit(1);
  }
}
