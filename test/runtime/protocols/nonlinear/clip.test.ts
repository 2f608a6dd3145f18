import { expect, it } from "vitest";
import { thresholdClip } from "../../../../runtime/protocols/nonlinear/clip.ts";
import { costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, lo: number, hi: number, width = 24) => ({
  operands: [fixed([count], 3, -8, 8)],
  result: fixed([count], 3, Math.max(-8, lo), Math.min(8, hi), width),
  attrs: { lo, hi },
});
/** Every value of the operand. */
const all = Float64Array.from({ length: 129 }, (_, k) => (k - 64) / 8);

it.each([
  [-1, 2],
  [-1.06, 2.06],
  [-Infinity, 0.3],
  [0, Infinity],
  [-9, 9],
  [-9, -8],
  [8, 12],
  [1, 1],
])("is clip for every value, from %d to %d, bounds between units rounded as the interpreter does", (lo, hi) => {
  for (let trial = 0; trial < 8; trial++) {
    const outcome = execute(thresholdClip, specOf(129, lo, hi, [8, 24, 40, 64][trial % 4]!), [all], { trial });
    const exact = [...all].map((x) => Math.round(Math.min(hi, Math.max(lo, x)) * 8) / 8);
    expect([...outcome.values]).toEqual(exact);
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("takes 2 rounds, and nothing where no value is beyond a bound", () => {
  expect(costOf(thresholdClip, specOf(8, -1, 2)).rounds).toBe(2);
  const free = costOf(thresholdClip, specOf(8, -8, 8, 8));
  expect(free).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 });
});

it("one bound costs half the bits of two", () => {
  const [one, two] = [costOf(thresholdClip, specOf(8, -1, Infinity)), costOf(thresholdClip, specOf(8, -1, 2))];
  expect(two.clientToServer).toBe(2 * one.clientToServer);
});

it("refuses bounds out of order", () => {
  expect(() => resolveWidths(thresholdClip, specOf(1, 2, 1))).toThrow(/out of order/);
});
