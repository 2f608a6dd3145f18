// Networks that nobody has seen, with inputs inside and beyond their ranges: npm run right-or-refused
// [-- --networks 500 --inputs 20 --seed 1 --setting 3pc]. Every answer is within its declared error of ONNX Runtime's, or
// refused, or marked by the guard; a wrong one is printed with its seed, and ends the command with exit code 1.
import { parseArgs } from "node:util";
import countBy from "lodash-es/countBy.js";
import { type WholeRun, wholeRuns } from "./whole/right-or-refused.ts";

const { values: options } = parseArgs({
  options: {
    networks: { type: "string", default: "500" },
    inputs: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    setting: { type: "string", default: "2pc-dealer" },
  },
});
const setting = options.setting === "3pc" ? "3pc" : "2pc-dealer";
const first = Number(options.seed);
const runs: WholeRun[] = [];
for (let seed = first; seed < first + Number(options.networks); seed++) {
  const found = await wholeRuns(seed, { inputs: Number(options.inputs), setting });
  for (const { outcome, detail } of found) if (outcome === "wrong") console.log(`wrong, seed ${seed}: ${detail}`);
  runs.push(...found);
}
console.log(`${runs.length} runs of ${options.networks} networks, ${setting}`);
for (const [outcome, count] of Object.entries(countBy(runs, "outcome"))) console.log(`${count} ${outcome}`);
const refusals = runs.filter(({ outcome }) => outcome.startsWith("refused"));
for (const [code, count] of Object.entries(countBy(refusals, "detail"))) console.log(`  ${count} ${code}`);
if (runs.some(({ outcome }) => outcome === "wrong")) process.exitCode = 1;
