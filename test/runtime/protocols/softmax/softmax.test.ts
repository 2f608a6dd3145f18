import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { trafficOf } from "../../../../passes/5-select/traffic.ts";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { coarseMaxSoftmax } from "../../../../runtime/protocols/softmax/softmax.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "../../../harness/execute-protocol.ts";
import { softmaxRows } from "../../../harness/reference-functions.ts";

const specOf = (rows: number, n: number, bound: number, from: number, width: number, to: number): Spec => ({
  operands: [fixed([rows, n], from, -bound, bound)],
  result: fixed([rows, n], to, 0, 1, width),
  attrs: { axis: -1 },
});
const specs = [
  specOf(10, 24, 8, 12, 30, 12),
  specOf(2, 300, 8, 12, 30, 12),
  specOf(30, 2, 20, 8, 30, 16),
  specOf(4, 7, 1, 12, 44, 8),
  specOf(2, 64, 60, 10, 30, 12),
  specOf(1, 1, 1, 12, 30, 12),
  specOf(1, 1000, 4, 12, 20, 15),
  specOf(5, 3, 0.01, 16, 40, 20),
];

it("stays within its declared error, 80 seeds, rows of 1 to 1000; counted = metered", () => {
  for (let trial = 0; trial < 80; trial++) {
    const spec = specs[trial % specs.length]!;
    const { hi, scale, shape } = spec.operands[0]!;
    const x = reals(shape[0]! * shape[1]!, -hi, hi, trial);
    if (trial % 3 === 0) x.fill(hi);
    const outcome = execute(coarseMaxSoftmax, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const worst = worstUlps(outcome, softmaxRows(quantizeToGrid(x, scale), shape[1]!));
    expect(worst).toBeLessThanOrEqual(declaredUlps(coarseMaxSoftmax, spec));
  }
});

it("takes its row maximum by a tree or by larger groups, 200 rows each", () => {
  for (const radix of [2, 8, 16]) {
    const spec = { ...specOf(200, 21, 8, 12, 30, 12), attrs: { axis: -1, radix } };
    const x = reals(4200, -8, 8, radix);
    const outcome = execute(coarseMaxSoftmax, spec, [x], { trial: radix });
    expect(outcome.metered).toEqual(outcome.counted);
    expect(outcome.counted.rounds).toBe({ 2: 3 * 5, 8: 4 + 3, 16: 4 + 3 }[radix]! + 7);
    expect(worstUlps(outcome, softmaxRows(quantizeToGrid(x, 12), 21))).toBeLessThanOrEqual(
      declaredUlps(coarseMaxSoftmax, spec),
    );
  }
});

it("counts scores in buckets in 2 rounds, one more for each level, whatever the way to compare", () => {
  for (const [radix, comparison, rounds] of [
    [63, "dpf", 2 + 5],
    [7, "dpf", 3 + 5],
    [63, "digits", 2 + 7],
  ] as const) {
    for (const bound of [8, 60]) {
      const spec = {
        ...specOf(100, 21, bound, 12, 30, 12),
        attrs: { axis: -1, maximum: "buckets", radix, comparison },
      };
      const x = reals(2100, -bound, bound, radix);
      // A row at the end of the range, and one that is flat.
      x.fill(bound, 0, 21);
      x.fill(-bound, 21, 42);
      const outcome = execute(coarseMaxSoftmax, spec, [x], { trial: radix });
      expect(outcome.metered).toEqual(outcome.counted);
      expect(outcome.counted.rounds).toBe(rounds);
      const worst = worstUlps(outcome, softmaxRows(quantizeToGrid(x, 12), 21));
      expect(worst).toBeLessThanOrEqual(declaredUlps(coarseMaxSoftmax, spec));
    }
  }
  const wide = { ...specOf(4, 9, 2000, 12, 30, 12), attrs: { axis: -1, maximum: "buckets" } };
  expect(() => resolveWidths(coarseMaxSoftmax, wide)).toThrow(/buckets, at most 512/);
});

it("costs what the table of docs/protocols/attention.md says, a row of 512", () => {
  const page = readFileSync(new URL("../../../../docs/protocols/attention.md", import.meta.url), "utf8");
  const ways = [
    ["groups of 2", "digits", { radix: 2 }],
    ["groups of 4", "digits", {}],
    ["groups of 8", "digits", { radix: 8 }],
    ["groups of 16", "digits", { radix: 16 }],
    ["groups of 8", "point functions", { radix: 8, comparison: "dpf" }],
    ["counted, 63 at once", "point functions", { maximum: "buckets", radix: 63, comparison: "dpf" }],
  ] as const;
  for (const [maximum, compared, tuning] of ways) {
    const spec = resolveWidths(coarseMaxSoftmax, { ...specOf(1, 512, 8, 12, 30, 12), attrs: { axis: -1, ...tuning } });
    const { rounds, bytes, dealt } = trafficOf(coarseMaxSoftmax, spec);
    const [online, most] = [Math.max(...Object.values(bytes)), Math.max(...Object.values(dealt))];
    const all = Object.values(dealt).reduce((sum, each) => sum + each, 0);
    // Each direction of 100 Mbit/s, half of 80 ms for a round.
    const seconds = rounds * 0.04 + ((online + most) * 8) / 1e8;
    const figures = [rounds, `${(online / 1000).toFixed(1)} kB`, `${Math.round(all / 1000)} kB`, seconds.toFixed(2)];
    expect(page).toContain(`| ${[maximum, compared, ...figures].join(" | ")} |`);
  }
});

it("takes 3·⌈log4 n⌉ + 7 rounds", () => {
  for (const [n, levels] of [
    [2, 1],
    [4, 1],
    [5, 2],
    [24, 3],
    [128, 4],
  ] as const) {
    expect(costOf(coarseMaxSoftmax, specOf(4, n, 8, 12, 30, 12)).rounds).toBe(3 * levels + 7);
  }
});

it("refuses what it cannot run", () => {
  const axis = { ...specOf(4, 8, 8, 12, 30, 12), attrs: { axis: 0 } };
  expect(() => resolveWidths(coarseMaxSoftmax, axis)).toThrow(/last axis/);
  expect(() => resolveWidths(coarseMaxSoftmax, specOf(4, 8, 2 ** 17, 12, 30, 12))).toThrow(/at most 31/);
  expect(() => resolveWidths(coarseMaxSoftmax, specOf(4, 8, 8, 60, 30, 12))).toThrow(/ring of 64/);
  expect(() => resolveWidths(coarseMaxSoftmax, specOf(4, 8, 8, 12, 60, 12))).toThrow(/at most 64/);
});
