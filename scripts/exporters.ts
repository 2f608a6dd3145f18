// Files of other tools compared with what their frameworks compute: npm run exporters [-- <folder> --write]
// python fixtures/exporters/export.py <folder> makes the folder; default: the files of this repository. Prints the tables
// of docs/exporters.md; --write updates the page.
import { parseArgs } from "node:util";
import { readPage, repositoryFile, withTable, writePage } from "./pages.ts";
import { exporterReport } from "./tables/exporters.ts";

const page = "exporters.md";
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false } },
});
const folder = positionals[0] ?? repositoryFile("fixtures/exporters");
const { exports, text } = await exporterReport(folder, (name) => console.error(name));
if (exports === 0) {
  throw new Error(`${folder}: expected exports, found none: python fixtures/exporters/export.py <folder> makes them`);
}
console.log(text);
if (options.write) writePage(page, withTable(readPage(page), "exporters", text));
