// Hostile files without end: npm run fuzz [-- --builds --minutes 60 --seed 1 --case <seed> --keep-going]
// A seed gives its case. A case that ends in anything but success or a refusal with a code is minimized, kept under
// build/fuzz, and ends the run with exit code 1. With `--builds` the files are those of builds, edited at every level:
// `check` refuses each, or three parties run it on two secrets, and no party sees those of another.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { CaseReport } from "./fuzz/attempt.ts";
import { runCampaign } from "./fuzz/campaign.ts";
import { repositoryFile } from "./pages.ts";

/** Distance of the first seeds of `--seed 1` and `--seed 2`: no campaign runs so many cases. */
const casesPerCampaign = 1_000_000_000;

function keepFault({ seed, kind, fault, stack, minimal }: CaseReport): void {
  const folder = repositoryFile("build/fuzz");
  mkdirSync(folder, { recursive: true });
  const report = join(folder, `${seed}.json`);
  writeFileSync(report, `${JSON.stringify({ seed, kind, fault, stack }, undefined, 2)}\n`);
  if (minimal) writeFileSync(join(folder, `${seed}.bin`), minimal);
  console.error(`seed ${seed}: ${fault}\n  ${report}${minimal ? `, ${minimal.length} bytes in ${seed}.bin` : ""}`);
}

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    case: { type: "string" },
    builds: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});
const started = Date.now();
const counts = await runCampaign({
  of: options.builds ? "builds" : "files",
  firstSeed: Number(options.case ?? Number(options.seed) * casesPerCampaign),
  deadline: started + Number(options.minutes) * 60_000,
  single: options.case !== undefined,
  keepGoing: options["keep-going"],
  onFault: keepFault,
});
const minutes = ((Date.now() - started) / 60_000).toFixed(1);
const counted = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
console.log(`${minutes} minutes: ${counted.join(", ")}`);
process.exitCode = counts.crashed > 0 ? 1 : 0;
