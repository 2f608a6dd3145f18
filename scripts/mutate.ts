// Wrong lines against the tests: npm run mutate -- --paths 'runtime/session/**' [--limit 60 --seed 1 --rule "guard dropped"]
// Makes mutants of security-relevant lines, runs the nearest cheap tests over each, and prints what killed it. Mutants
// exist in memory alone: no file is ever changed. `--list` prints them without a run; `--skip 20` leaves out the first
// ones of the seed; `--at runtime/core/random.ts:40` takes those of a line instead of a seed. Exit code 1: one survived.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describe, mutantsOf, shuffled } from "./mutate/find-mutants.ts";
import { createKiller } from "./mutate/kill.ts";
import { createTestRunner } from "./mutate/run-tests.ts";
import { importersByFile, sourceFiles } from "./mutate/tests-of-file.ts";
import { createTypeChecker } from "./mutate/type-check.ts";
import { repositoryFile } from "./pages.ts";

/** What a party runs, and what tells it whether to. */
const defaultPaths = ["runtime", "compiler/services", "compiler/keys", "compiler/audit", "compiler/build"];
/** Clocks and links of tests and estimates, and code that a generator writes. */
const noSecurity =
  /generated|transport\/(shaped|recorded|clock|link-profile)|services\/(doctor|link-probe)|platform\/browser/;

const { values: options } = parseArgs({
  options: {
    paths: { type: "string", multiple: true, default: defaultPaths },
    limit: { type: "string", default: "60" },
    skip: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    rule: { type: "string" },
    at: { type: "string", multiple: true },
    hops: { type: "string", default: "2" },
    tests: { type: "string", default: "8" },
    "test-seconds": { type: "string", default: "60" },
    list: { type: "boolean", default: false },
  },
  allowPositionals: true,
});

const root = repositoryFile(".");

/** A folder, a file, or a pattern: `*` within a name, `**` across folders. */
function filesOf(path: string): readonly string[] {
  const [folder] = path.split("/", 1) as [string];
  const exact = existsSync(join(root, path)) ? path.replace(/\/$/, "") : undefined;
  const pattern = path
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, (stars) => (stars === "*" ? "[^/]*" : ".*"));
  return sourceFiles(root, folder).filter((file) =>
    exact === undefined ? new RegExp(`^${pattern}$`).test(file) : file === exact || file.startsWith(`${exact}/`),
  );
}

const { at } = options;
const paths = at?.map((place) => place.replace(/:\d+$/, "")) ?? options.paths;
const files = [...new Set(paths.flatMap(filesOf))].filter((file) => !noSecurity.test(file));
const all = files
  .flatMap((file) => mutantsOf(root, file))
  .filter(({ rule }) => options.rule === undefined || rule === options.rule)
  .filter(({ file, line }) => at?.includes(`${file}:${line}`) ?? true);
const drawn = at ? all : shuffled(all, Number(options.seed)).slice(Number(options.skip));
console.error(`${all.length} mutants of ${files.length} files`);
if (options.list) for (const mutant of drawn.slice(0, Number(options.limit))) console.log(describe(mutant));
else {
  const runner = createTestRunner(root);
  const compiles = createTypeChecker(root, files);
  const kill = createKiller(runner, importersByFile(root), {
    hops: Number(options.hops),
    most: Number(options.tests),
    testSeconds: Number(options["test-seconds"]),
  });
  const rows: string[] = [];
  const survivors: string[] = [];
  let [refused, untested] = [0, 0];
  for (const mutant of drawn) {
    if (rows.length >= Number(options.limit)) break;
    if (!compiles(mutant)) {
      refused++;
      continue;
    }
    const { killedBy, tests } = await kill(mutant);
    if (tests === 0) untested++;
    if (killedBy === undefined) survivors.push(describe(mutant));
    const row = `| ${describe(mutant).replaceAll("|", "\\|")} | ${killedBy ?? `survived ${tests} test files`} |`;
    rows.push(row);
    console.error(`${rows.length}: ${row}`);
  }
  runner.stop();
  console.log(["| mutant | killed by |", "| --- | --- |", ...rows].join("\n"));
  const killed = rows.length - survivors.length;
  console.log(
    `\n${killed} of ${rows.length} killed (${((100 * killed) / rows.length).toFixed(1)} %), seed ${options.seed}; ` +
      `${refused} more did not compile, ${untested} have no cheap test`,
  );
  process.exitCode = survivors.length > 0 ? 1 : 0;
}
