// Every operator against the single-operator tests of the ONNX project: npm run operators [-- <folder>] [-- --check]
// Needs `npm run build` before. Prints the tables of docs/operators.md; --check fails where the page shows others.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { operatorReport } from "../dist/scripts/tables/operators.js";

const given = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
const folder = given ?? fileURLToPath(new URL("../../shared/onnx-node", import.meta.url));
if (!existsSync(folder)) {
  console.error(`${folder} is not here: give the folder onnx/backend/test/data/node of the ONNX project`);
  process.exit(1);
}
const { text } = operatorReport(folder);
console.log(text);
if (process.argv.includes("--check")) {
  const page = readFileSync(new URL("../docs/operators.md", import.meta.url), "utf8");
  if (!page.includes(`-->\n${text}\n<!--`)) {
    console.error("docs/operators.md shows other tables: BLESS=1 npx vitest run test/compiler/operators/node-tests");
    process.exit(1);
  }
}
