// Every export of the model families against what torch recorded: npm run families [-- <folder>] [--write]
// Needs `npm run build` before. Prints the tables of docs/families.md; --write puts them there.
// The whole matrix: python fixtures/families/export.py <folder>. Without a folder: the exports of this repository.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { familyReport } from "../dist/compiler/report/families.js";

const page = new URL("../docs/families.md", import.meta.url);
const [begin, end] = ["<!-- npm run families -->\n", "\n<!-- end -->"];
const given = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
const folder = given ?? fileURLToPath(new URL("../fixtures/families", import.meta.url));
const { exports, passed, text } = await familyReport(folder, (name) => console.error(name));
console.log(text);
if (process.argv.includes("--write")) {
  const [before, rest] = readFileSync(page, "utf8").split(begin);
  writeFileSync(page, before + begin + text + end + rest.split(end)[1]);
}
process.exit(passed.length === exports ? 0 : 1);
