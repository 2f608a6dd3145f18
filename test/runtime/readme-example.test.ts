import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import type { Protocol } from "../../runtime/protocols/kit/define-protocol.ts";
import { compareViews, leakCase } from "../harness/compare-views.ts";
import { costOf, execute, fixed, reals, resolveWidths, worstUlps } from "../harness/execute-protocol.ts";
import { breaks } from "../harness/leak-breaks.ts";
import { limitOf } from "../harness/leak-statistics.ts";
import { unary } from "../harness/spec-grids.ts";
import { expectedOf } from "../harness/spec-table.ts";
import { contentReads, programOf } from "../harness/taint.ts";

/** The worked example of runtime/README.md is a protocol: were its file written, it would run. */
const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "runtime/README.md"), "utf8");
const [source] = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
const path = join(root, "runtime/protocols/arithmetic/opened-square.ts");

mkdirSync(join(root, "build"), { recursive: true });
const work = mkdtempSync(join(root, "build/readme-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const file = join(work, "opened-square.ts");
writeFileSync(
  file,
  source!
    .replaceAll('from "../../', `from "${join(root, "runtime")}/`)
    .replaceAll('from "../', `from "${join(root, "runtime/protocols")}/`),
);
const { openedSquare } = (await import(file)) as { readonly openedSquare: Protocol };

const specs = unary({
  lo: -9,
  hi: 9,
  to: [0, 81],
  scales: [0, 3, 8, 10, 12].map((s) => [s, 2 * s] as const),
  widths: [40, 35, 33, 64],
});

describe("the worked example of runtime/README.md", () => {
  it("is the only one, and has the types that protocols have", () => {
    expect([...page.matchAll(/```ts\n/g)].length).toBe(1);
    const program = programOf([], new Map([[path, source!]]));
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(path));
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([]);
    expect(contentReads(program, [path])).toEqual([]);
  });

  it("is exact, and counted = metered, for 45 shapes, rings and scales", () => {
    expect(specs.length).toBe(45);
    for (const [trial, spec] of specs.entries()) {
      const { shape, scale } = spec.operands[0]!;
      const x = reals(
        shape.reduce((a, b) => a * b, 1),
        -9,
        9,
        trial,
      ).map((v) => Math.round(v * 2 ** scale) / 2 ** scale);
      const outcome = execute(openedSquare, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      expect(worstUlps(outcome, expectedOf(openedSquare, spec, [x]))).toBe(0);
    }
  });

  it("costs what its comment says, and refuses another scale", () => {
    const spec = specs.find(({ result }) => result.shape.join() === "8" && result.scale === 24)!;
    const { width } = resolveWidths(openedSquare, spec).operands[0]!;
    expect(costOf(openedSquare, spec)).toMatchObject({ rounds: 1, clientToServer: width, serverToClient: width });
    const other = { ...spec, result: { ...spec.result, scale: 3 } };
    expect(() => resolveWidths(openedSquare, other)).toThrow(/twice the operand's/);
  });

  it("shows neither party anything, and would with a mask of 0", () => {
    const test = leakCase(openedSquare, [[[-36001]], [[12346]]], (n) => ({
      operands: [fixed([n], 12, -9, 9)],
      result: fixed([n], 24, 0, 81, 40),
      attrs: {},
    }));
    for (const corrupted of ["client", "server"] as const) {
      const [sound, broken] = [undefined, breaks["mask is 0"]].map((change) =>
        compareViews(test, corrupted, 4000, change),
      );
      expect(sound!.z).toBeLessThan(limitOf(sound!.tests));
      expect(broken!.z).toBeGreaterThan(limitOf(broken!.tests));
    }
  });
});
