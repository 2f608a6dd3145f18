// Errors against ONNX Runtime and traffic of the models under fixtures, by quality: npm run precision
//   [-- --only <pattern> --quality <name>]   only models with such a name; only this quality
// All weights are private, and all outputs are the client's. Prints the table of docs/precision.md.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { qualities } from "../passes/4-quantize/index.ts";
import { repositoryFile } from "./pages.ts";
import {
  drawnCase,
  type PrecisionCase,
  precisionHead,
  precisionOf,
  precisionRow,
  recordedCase,
} from "./tables/precision.ts";

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, quality: { type: "string" } },
});
const models = repositoryFile("fixtures/models");
const nets = repositoryFile("fixtures/nets");
const work = mkdtempSync(join(tmpdir(), "marillc-precision-"));
const cases: readonly (readonly [string, () => PrecisionCase])[] = [
  ...readdirSync(models)
    .filter((name) => existsSync(join(models, name, "test_data_set_0")))
    .map((name) => [name, () => recordedCase(join(models, name))] as const),
  ...readdirSync(nets)
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => [name, () => drawnCase(join(nets, name), mkdtempSync(join(work, "case-")))] as const),
];
const asked = Object.keys(qualities).filter((name) => (options.quality ?? name) === name);
console.log(precisionHead);
for (const [, make] of cases.filter(([name]) => new RegExp(options.only).test(name))) {
  const each = make();
  for (const quality of asked as readonly (keyof typeof qualities)[]) {
    console.log(precisionRow(quality, await precisionOf(each, { quality })));
  }
}
rmSync(work, { recursive: true });
