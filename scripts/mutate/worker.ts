// The process that runs tests over a mutant. The edit is made while the sources are loaded: no file is ever written.
import { join } from "node:path";
import { createVitest } from "vitest/node";
import { mutated } from "./find-mutants.ts";
import type { TestReport, TestRequest } from "./run-tests.ts";

const root = process.argv[2]!;
let request: TestRequest | undefined;

const vitest = await createVitest(
  "test",
  {
    root,
    config: false,
    watch: false,
    include: ["test/**/*.test.ts"],
    reporters: [{}],
    bail: 1,
    pool: "forks",
    maxWorkers: 1,
    // As in the suite: files of one run share a worker.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    execArgv: ["--max-semi-space-size=64"],
  },
  {
    resolve: { alias: { "#platform": join(root, "runtime/platform/node.ts") } },
    plugins: [
      {
        name: "mutant",
        enforce: "pre",
        transform: (code: string, id: string) => {
          const mutant = request?.mutant;
          if (!mutant || id.split("?")[0] !== join(root, mutant.file)) return undefined;
          return { code: mutated(code, mutant), map: null };
        },
      },
    ],
  },
);
await vitest.standalone();

/** What fails first, or undefined. */
async function firstFailure(test: string): Promise<string | undefined> {
  const specifications = await vitest.globTestSpecifications([join(root, test)]);
  // `bail` counts the failures that it knows, those of earlier mutants too.
  vitest.state.idMap.clear();
  vitest.state.filesMap.clear();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  for (const module of testModules) {
    for (const each of module.children.allTests("failed")) return `${test}: ${each.fullName}`;
    if (!module.ok()) return `${test}: ${module.errors()[0]?.message.split("\n")[0] ?? "it does not load"}`;
  }
  return unhandledErrors.length > 0 ? `${test}: an unhandled error` : undefined;
}

process.on("message", async (next: TestRequest) => {
  const touched = [request?.mutant?.file, next.mutant?.file].filter((file) => file !== undefined);
  request = next;
  for (const file of touched) vitest.invalidateFile(join(root, file));
  const started = performance.now();
  const failure = await firstFailure(next.test).catch((error: unknown) => `${next.test}: ${String(error)}`);
  process.send!({ failure, seconds: (performance.now() - started) / 1000 } satisfies TestReport);
});
process.send!({ seconds: 0 } satisfies TestReport);
