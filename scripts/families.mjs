// Every export of the model families against what torch recorded: npm run families [-- <folder>] [--write]
// Needs `npm run build` before. Prints the tables of docs/families.md; --write puts those there that the folder has.
// The whole matrix: python fixtures/families/export.py <folder>, and networks.py. Without a folder: the exports of this
// repository. --shares <pattern>: only exports of these names are run by three parties too.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { familyReport } from "../dist/scripts/tables/families.js";

const page = new URL("../docs/families.md", import.meta.url);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean" }, shares: { type: "string" } },
});
const folder = positionals[0] ?? fileURLToPath(new URL("../fixtures/families", import.meta.url));
const { exports, passed, texts } = await familyReport(folder, {
  progress: (name) => console.error(name),
  ...(values.shares && { shares: new RegExp(values.shares) }),
});
if (exports === 0) throw new Error(`${folder}: expected folders that fixtures/families/export.py wrote, found none`);
for (const [kind, text] of texts) console.log(`## ${kind}\n\n${text}\n`);
if (values.write) {
  const end = "\n<!-- end -->";
  for (const [kind, text] of texts) {
    const [before, rest] = readFileSync(page, "utf8").split(`<!-- npm run families: ${kind} -->\n`);
    writeFileSync(page, `${before}<!-- npm run families: ${kind} -->\n${text}${rest.slice(rest.indexOf(end))}`);
  }
}
process.exit(passed.length === exports ? 0 : 1);
