// Exports of other architectures against what torch recorded: npm run architectures -- <folder> [--write]
// Needs `npm run build` before, and python fixtures/families/architectures.py <folder>. Prints the tables of
// docs/architectures.md; --write puts them there.
import { readFileSync, writeFileSync } from "node:fs";
import { architectureReport } from "../dist/scripts/tables/architectures.js";

const page = new URL("../docs/architectures.md", import.meta.url);
const [begin, end] = ["<!-- npm run architectures -->\n", "\n<!-- end -->"];
const folder = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
if (folder === undefined) throw new Error("expected the folder that fixtures/families/architectures.py wrote");
const { text } = await architectureReport(folder, (name) => console.error(name));
console.log(text);
if (process.argv.includes("--write")) {
  const [before, rest] = readFileSync(page, "utf8").split(begin);
  writeFileSync(page, before + begin + text + end + rest.split(end)[1]);
}
