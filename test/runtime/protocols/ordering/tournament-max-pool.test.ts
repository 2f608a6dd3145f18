import { describe, expect, it } from "vitest";
import { pool } from "../../../../ir/ops/helpers/windows.ts";
import { digitBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import { levelCount } from "../../../../runtime/protocols/ordering/row-max.ts";
import { tournamentMaxPool } from "../../../../runtime/protocols/ordering/tournament-max-pool.ts";
import { sizeOf } from "../../../../runtime/ring/tensor.ts";
import { poolShapes, poolSpec } from "../../../harness/convolution-specs.ts";
import { costOf, execute, quantizeToGrid, reals, resolveWidths } from "../../../harness/execute-protocol.ts";

describe.each(poolShapes)("%j, windows %j", (...shape) => {
  it("is the maximum of each window, exactly, in narrow and in wide rings; counted = metered", () => {
    for (let trial = 0; trial < 15; trial++) {
      const spec = poolSpec(shape, [11, 16, 31, 40, 64][trial % 5]!);
      const x = quantizeToGrid(reals(sizeOf(spec.operands[0]!.shape), -8, 8, trial), 6);
      // Equal elements, and nothing but negative ones: the padding must not win.
      if (trial % 3 === 0) x.fill(-3);
      const outcome = execute(tournamentMaxPool, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      expect(outcome.metered.rounds).toBe(1 + 3 * levelCount(shape[1][0] ** 2));
      const largest = (elements: readonly number[]): number => Math.max(...elements);
      const expected = pool({ shape: spec.operands[0]!.shape, data: x }, spec.attrs, largest);
      expect(outcome.spec.result.shape).toEqual(expected.shape);
      expect([...outcome.values]).toEqual([...expected.data].map((v) => v + 0));
    }
  });
});

it("costs 3 rounds for windows of four: the comparisons of six differences, six bits and the winner", () => {
  const spec = poolSpec([[1, 8, 4], poolShapes[0]![1]], 40, 7.9);
  const n = resolveWidths(tournamentMaxPool, spec).operands[0]!.width;
  expect(n).toBe(11);
  const windows = sizeOf(spec.result.shape);
  const digits = Math.ceil((n - 1) / digitBits(n - 1));
  const each = (windows * (6 * (2 * digits - 1) + 6 + n)) / 8;
  expect(costOf(tournamentMaxPool, spec)).toMatchObject({ rounds: 3, clientToServer: each, serverToClient: each });
});

it("has the same maxima whatever it is tuned to", () => {
  const spec = poolSpec(poolShapes[1]!, 40);
  const x = quantizeToGrid(reals(sizeOf(spec.operands[0]!.shape), -8, 8), 6);
  const usual = execute(tournamentMaxPool, spec, [x]);
  const tunings = tournamentMaxPool.variants!(resolveWidths(tournamentMaxPool, spec));
  expect(tunings.length).toBeGreaterThan(3);
  for (const tuning of tunings) {
    const outcome = execute(tournamentMaxPool, { ...spec, attrs: { ...spec.attrs, ...tuning } }, [x]);
    expect(outcome.metered).toEqual(outcome.counted);
    expect([...outcome.values]).toEqual([...usual.values]);
  }
});

it("refuses what it cannot run", () => {
  expect(() => resolveWidths(tournamentMaxPool, poolSpec(poolShapes[2]!, 40, 2 ** 25))).toThrow(/at most 31/);
  const spec = poolSpec(poolShapes[2]!, 40);
  const dropping = { ...spec, result: { ...spec.result, scale: 5 } };
  expect(() => resolveWidths(tournamentMaxPool, dropping)).toThrow(/fractional bits/);
});
