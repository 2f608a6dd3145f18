import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/sequencer.ts";

// Tests run the sources; the import map of package.json serves what is built.
const platform = fileURLToPath(new URL("runtime/platform/node.ts", import.meta.url));

const within = (...folders: readonly string[]) => folders.map((folder) => `test/${folder}/**/*.test.ts`);
/** What parties compute and send: the runtime, and security bugs put into it. */
const protocol = within("runtime", "mutants");
/** Whole models, compiled and run, the command line, the pages and the package. */
const others = ["audit", "estimate", "exporters", "families", "nets", "student"].map((folder) => `compiler/${folder}`);
/** Single files that take as long as those. */
const long = ["compiler/architecture-rounds", "passes/relations"].map((file) => `test/${file}.test.ts`);
const endToEnd = [...within("end-to-end", "cli", "diagnostics", "docs", "examples", "package", ...others), ...long];
/** The same, in a process of its own for each file: its memory is measured. */
const measured = within("compiler/hostile");
/** All others: they are quick. */
const unit = { include: ["test/**/*.test.ts"], exclude: [...protocol, ...endToEnd, ...measured] };

const tiers = { unit, protocol: { include: protocol }, "end-to-end": { include: endToEnd } };
/** A project imports all modules anew in each worker: a run of everything has one, whose workers never wait for a tier. */
const all = { all: { include: ["test/**/*.test.ts"], exclude: measured } };

/** `vitest run` knows the tiers as projects; `npm test` runs all of them together, by `--mode all`. */
export default defineConfig(({ mode }) => ({
  resolve: { alias: { "#platform": platform } },
  test: {
    projects: [
      ...Object.entries(mode === "all" ? all : tiers).map(([name, files]) => ({
        extends: true as const,
        test: { name, ...files },
      })),
      { extends: true, test: { name: "end-to-end-measured", include: measured, isolate: true } },
    ],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: "forks",
    maxWorkers: 2,
    // The young generation of V8 is too small for tensors: with more room for it, the leak tests take half of the time.
    execArgv: ["--max-semi-space-size=64"],
    // Files of a tier share a worker and its modules: importing the compiler anew for each takes longer than most tests.
    isolate: false,
    sequence: { sequencer: LongestFirst },
  },
}));
