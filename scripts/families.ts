// Every export of the model families compared with what torch recorded:
//   npm run families [-- <folder> --write --shares <pattern>]
// python fixtures/families/export.py <folder> and networks.py make the whole matrix; default: the exports of this
// repository. Prints the tables of docs/families.md; --write updates those that the folder has exports for.
// --shares: three parties run only the exports with such a name; all are imported.
import { parseArgs } from "node:util";
import { readPage, repositoryFile, withTable, writePage } from "./pages.ts";
import { familyReport } from "./tables/families.ts";

const page = "families.md";
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false }, shares: { type: "string" } },
});
const folder = positionals[0] ?? repositoryFile("fixtures/families");
const { exports, passed, texts } = await familyReport(folder, {
  progress: (name) => console.error(name),
  ...(options.shares !== undefined && { shares: new RegExp(options.shares) }),
});
if (exports === 0) {
  throw new Error(`${folder}: expected exports, found none: python fixtures/families/export.py <folder> makes them`);
}
for (const [kind, text] of texts) console.log(`## ${kind}\n\n${text}\n`);
if (options.write) {
  const updated = [...texts].reduce((all, [kind, text]) => withTable(all, `families: ${kind}`, text), readPage(page));
  writePage(page, updated);
}
process.exitCode = passed.length === exports ? 0 : 1;
