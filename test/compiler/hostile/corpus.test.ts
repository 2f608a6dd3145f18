import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { type HostileClass, outcomeOf } from "../../harness/hostile/cases.ts";
import { graphClasses } from "../../harness/hostile/graphs.ts";
import { nonFiniteClasses } from "../../harness/hostile/non-finite.ts";
import { operatorClasses } from "../../harness/hostile/operators.ts";
import { protobufClasses } from "../../harness/hostile/protobuf.ts";
import { tensorClasses } from "../../harness/hostile/tensors.ts";
import { weightClasses } from "../../harness/hostile/weights.ts";

/*
 * Hostile files: each is refused with the code of its own problem, or accepted where it is only unusual, in under 10 s
 * and with less than 2 GB for the process that reads them all. docs/hostile-input.md shows the counts.
 */
const classes: readonly HostileClass[] = [
  ...protobufClasses,
  ...tensorClasses,
  ...nonFiniteClasses,
  ...graphClasses,
  ...operatorClasses,
  ...weightClasses,
];
const limits = { milliseconds: 10_000, kilobytes: 2 * 2 ** 20 };

const muchMemory = 2 ** 29;
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const temporary = mkdtempSync(join(tmpdir(), "marillc-hostile-"));
afterAll(() => rmSync(temporary, { recursive: true }));
const found = new Map<HostileClass, readonly string[][]>();

describe.each(classes.map((each) => [each.name, each] as const))("%s", (_, each) => {
  it.each(each.cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    // Excludes what earlier files left. A collection takes longer than most files: only where they left much.
    if (process.memoryUsage.rss() > muchMemory) collectGarbage();
    const start = process.cpuUsage();
    const outcome = outcomeOf(each, one, temporary);
    const { user, system } = process.cpuUsage(start);
    found.set(each, [...(found.get(each) ?? []), outcome]);
    const allowed = one.valid ? ["taken"] : each.codes;
    expect(outcome.filter((code) => !allowed.includes(code))).toEqual([]);
    // Processor time: other load on the machine does not count.
    expect((user + system) / 1000).toBeLessThan(limits.milliseconds);
    expect(process.resourceUsage().maxRSS).toBeLessThan(limits.kilobytes);
  });
});

const page = resolve(import.meta.dirname, "../../../docs/hostile-input.md");
const [begin, end] = ["<!-- corpus -->", "<!-- /corpus -->"];

function table(): string {
  const rows = classes.map((each) => {
    const outcomes = found.get(each) ?? [];
    const taken = outcomes.filter(([first]) => first === "taken").length;
    const counts = new Map<string, number>();
    for (const code of outcomes.flat()) if (code !== "taken") counts.set(code, (counts.get(code) ?? 0) + 1);
    const codes = [...counts].sort().map(([code, count]) => `${code} (${count})`);
    return `| ${each.name} | ${outcomes.length} | ${outcomes.length - taken} | ${codes.join(", ")} | ${taken} |`;
  });
  const total = classes.reduce((sum, { cases }) => sum + cases.length, 0);
  const head = ["| class | files | refused | with | taken |", "| --- | --- | --- | --- | --- |"];
  return [`${total} files.`, "", ...head, ...rows].join("\n");
}

it("docs/hostile-input.md shows these counts", () => {
  const text = readFileSync(page, "utf8");
  const [front, rest] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
  const expected = `${front}${begin}\n\n${table()}\n\n${rest}`;
  if (process.env.BLESS === "1") writeFileSync(page, expected);
  expect(text === expected || process.env.BLESS === "1").toBe(true);
});
