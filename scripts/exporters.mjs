// Files that other tools wrote against what they compute: npm run exporters -- [<folder>] [--write]
// Needs `npm run build` before, and python fixtures/exporters/export.py <folder>; without a folder: those beside it.
// Prints the tables of docs/exporters.md; --write puts them there.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { exporterReport } from "../dist/scripts/tables/exporters.js";

const page = new URL("../docs/exporters.md", import.meta.url);
const [begin, end] = ["<!-- npm run exporters -->\n", "\n<!-- end -->"];
const given = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
const folder = given ?? fileURLToPath(new URL("../fixtures/exporters", import.meta.url));
const { exports, text } = await exporterReport(folder, (name) => console.error(name));
if (exports === 0) throw new Error(`${folder}: expected folders that fixtures/exporters/export.py wrote, found none`);
console.log(text);
if (process.argv.includes("--write")) {
  const [before, rest] = readFileSync(page, "utf8").split(begin);
  writeFileSync(page, before + begin + text + end + rest.split(end)[1]);
}
