// Exports of other architectures compared with what torch recorded: npm run architectures -- <folder> [--write]
// python fixtures/families/architectures.py <folder> makes the folder. Prints the tables of docs/architectures.md;
// --write updates the page.
import { parseArgs } from "node:util";
import { readPage, withTable, writePage } from "./pages.ts";
import { architectureReport } from "./tables/architectures.ts";

const page = "architectures.md";
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false } },
});
const [folder] = positionals;
if (folder === undefined) {
  throw new Error(
    "expected a folder of exports, found none: python fixtures/families/architectures.py <folder> makes one",
  );
}
const { text } = await architectureReport(folder, (name) => console.error(name));
console.log(text);
if (options.write) writePage(page, withTable(readPage(page), "architectures", text));
