// Every operator on the single-operator tests of the ONNX project: npm run operators [-- <folder> --check]
// The folder is onnx/backend/test/data/node of the ONNX project; default: ../shared/onnx-node beside this repository.
// Prints the tables of docs/operators.md; --check fails where the page has others.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { readPage, repositoryFile, tableIn } from "./pages.ts";
import { operatorReport } from "./tables/operators.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: "boolean", default: false } },
});
const folder = positionals[0] ?? repositoryFile("../shared/onnx-node");
if (!existsSync(folder)) {
  throw new Error(
    `${folder}: expected onnx/backend/test/data/node of the ONNX project, found nothing: npm run operators -- <folder>`,
  );
}
const { text } = operatorReport(folder);
console.log(text);
if (options.check && tableIn(readPage("operators.md"), "operators") !== text) {
  console.error("docs/operators.md has other tables: BLESS=1 npx vitest run test/compiler/operators/node-tests");
  process.exitCode = 1;
}
