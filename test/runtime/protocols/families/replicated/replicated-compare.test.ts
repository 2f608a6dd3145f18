import { expect, it } from "vitest";
import {
  replicatedCompare,
  replicatedRelu,
} from "../../../../../runtime/protocols/families/replicated/replicated-compare.ts";
import { costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const pair = (count: number, kind: string, width = 1) => ({
  operands: [fixed([count], 12, -30, 30), fixed([count], 12, -30, 30)],
  result: fixed([count], 0, 0, 1, width),
  attrs: { kind },
});
const total = (cost: object): number =>
  Object.entries(cost).reduce((sum, [key, value]) => (key === "rounds" ? sum : sum + (value as number)), 0);

/** Eight elements: bits per element are the bytes. */
it("costs, at ℓ = 64: order 607 bits in 8 rounds, equality 253 in 7, relu 1,055 in 10", () => {
  // Sharing a + b, the products g of all places but the top, and the tree: 62 for g, 62 − 6 for p.
  const order = 64 + 3 * (63 + 62 + 56);
  expect(order).toBe(607);
  for (const kind of ["less", "greater-or-equal"]) {
    const cost = costOf(replicatedCompare, pair(8, kind));
    expect([cost.rounds, total(cost)]).toEqual([8, order]);
  }
  const equal = costOf(replicatedCompare, pair(8, "equal"));
  expect([equal.rounds, total(equal)]).toEqual([7, 64 + 3 * 63]);
  // Into the ring: 4ℓ and two rounds more.
  const wide = costOf(replicatedCompare, pair(8, "less", 64));
  expect([wide.rounds, total(wide)]).toEqual([10, order + 4 * 64]);
  const relu = costOf(replicatedRelu, {
    operands: [fixed([8], 12, -30, 30)],
    result: fixed([8], 12, 0, 30, 64),
    attrs: {},
  });
  expect([relu.rounds, total(relu)]).toEqual([10, order + 7 * 64]);
});

it.each([
  "less",
  "less-or-equal",
  "greater",
  "greater-or-equal",
  "equal",
])("%s at equal and neighbouring values", (kind) => {
  const unit = 2 ** -12;
  const x = Float64Array.of(0, 0, unit, -unit, -30, 30, 5);
  const y = Float64Array.of(0, unit, 0, -2 * unit, 30, -30, 5);
  const holds: Readonly<Record<string, (a: number, b: number) => boolean>> = {
    less: (a, b) => a < b,
    "less-or-equal": (a, b) => a <= b,
    greater: (a, b) => a > b,
    "greater-or-equal": (a, b) => a >= b,
    equal: (a, b) => a === b,
  };
  for (const width of [1, 64]) {
    const { values } = execute(replicatedCompare, pair(7, kind, width), [x, y]);
    expect([...values]).toEqual([...x].map((a, k) => Number(holds[kind]!(a, y[k]!))));
  }
});
