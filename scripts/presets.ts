// What each function costs as each published system computes it: npm run presets [-- --check]
// Prints the tables of docs/presets.md; --check fails where the page has others.
import { parseArgs } from "node:util";
import { readPage, tableIn } from "./pages.ts";
import { presetTable, publishedTable } from "./tables/presets.ts";

const { values: options } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const tables = new Map([
  ["presets", presetTable()],
  ["presets: published", publishedTable()],
]);
console.log([...tables.values()].join("\n\n"));
if (options.check) {
  const page = readPage("presets.md");
  if ([...tables].some(([mark, table]) => tableIn(page, mark) !== table)) {
    console.error("docs/presets.md has other tables: BLESS=1 npx vitest run test/docs/presets");
    process.exitCode = 1;
  }
}
