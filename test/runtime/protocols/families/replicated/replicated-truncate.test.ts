import { expect, it } from "vitest";
import {
  replicatedTruncate,
  replicatedTruncateUnchecked,
} from "../../../../../runtime/protocols/families/replicated/replicated-truncate.ts";
import { bytes, costOf, execute, fixed, resolveWidths } from "../../../../harness/execute-protocol.ts";

const spec = (count: number, by: number, width: number, bound: number) => ({
  operands: [fixed([count], by, -bound, bound)],
  result: fixed([count], 0, -bound, bound, width),
  attrs: { by },
});

it("costs 4ℓ online in 2 rounds, and of the dealer ℓ + s + 1 before; unchecked ℓ in 1 round", () => {
  expect(costOf(replicatedTruncate, spec(8, 18, 64, 100))).toEqual({
    rounds: 2,
    clientToServer: bytes(2 * 64 * 8),
    serverToClient: bytes(2 * 64 * 8),
    dealerToServer: bytes(64 * 8) + bytes(19 * 8),
  });
  expect(costOf(replicatedTruncateUnchecked, spec(8, 4, 64, 100))).toEqual({
    rounds: 1,
    clientToServer: bytes(64 * 8),
    serverToClient: 0,
    dealerToServer: 0,
  });
});

it("is unbiased: on average the quotient itself", () => {
  const x = new Float64Array(20_000).fill(3 + 5 / 16);
  for (const [protocol, width] of [
    [replicatedTruncate, 40],
    [replicatedTruncateUnchecked, 64],
  ] as const) {
    const { values } = execute(protocol, spec(20_000, 4, width, 8), [x]);
    expect(new Set(values)).toEqual(new Set([3, 4]));
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    // The standard deviation of the mean is 0.0033.
    expect(Math.abs(mean - x[0]!)).toBeLessThan(0.02);
  }
});

it("holds up to the last value that leaves two bits of slack, and refuses beyond", () => {
  const bound = 2 ** 12;
  const edge = spec(4, 4, 18, bound - 1 / 16);
  const x = Float64Array.of(bound - 1 / 16, -bound + 1 / 16, 0, 1);
  for (let trial = 0; trial < 50; trial++) {
    const { values } = execute(replicatedTruncate, edge, [x], { trial });
    values.forEach((v, k) => {
      expect(Math.abs(v - x[k]!)).toBeLessThanOrEqual(1);
    });
  }
  expect(() => resolveWidths(replicatedTruncate, spec(4, 4, 18, bound))).toThrow(/slack/);
  expect(() => resolveWidths(replicatedTruncateUnchecked, spec(4, 4, 40, 100))).toThrow(/probability/);
});

it("unchecked fails as often as it says", () => {
  // 2^10 of a ring of 2^14: one in sixteen, where the protocol would not be taken.
  const count = 20_000;
  const x = new Float64Array(count).fill(2 ** 6);
  const failing = { ...spec(count, 4, 14, 2 ** 6), result: fixed([count], 0, -64, 64, 14) };
  const { refuses: _, ...unguarded } = replicatedTruncateUnchecked;
  const { values, spec: run } = execute(unguarded, failing, [x]);
  const wrong = values.filter((v) => Math.abs(v - 2 ** 6) > 1).length / count;
  expect(Math.abs(wrong - replicatedTruncateUnchecked.failure!(run))).toBeLessThan(0.01);
});
