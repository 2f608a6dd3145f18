import { expect, it } from "vitest";
import {
  replicatedMaximum,
  replicatedReduceMax,
} from "../../../../../runtime/protocols/families/replicated/replicated-max.ts";
import { costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const total = (cost: object): number =>
  Object.entries(cost).reduce((sum, [key, value]) => (key === "rounds" ? sum : sum + (value as number)), 0);
const rows = (shape: readonly number[], axes: readonly number[], result: readonly number[], keepdims = true) => ({
  operands: [fixed(shape, 12, -30, 30)],
  result: fixed(result, 12, -30, 30, 64),
  attrs: { axes, keepdims },
});

it("costs a comparison and a choice for each but one, 10 rounds a level", () => {
  const one = costOf(replicatedMaximum, {
    operands: [fixed([8], 12, -30, 30), fixed([8], 12, -30, 30)],
    result: fixed([8], 12, -30, 30, 64),
    attrs: {},
  });
  expect([one.rounds, total(one)]).toEqual([10, 607 + 7 * 64]);
  for (const [extent, levels] of [
    [2, 1],
    [8, 3],
    [9, 4],
    [13, 4],
  ] as const) {
    const cost = costOf(replicatedReduceMax, rows([8, extent], [-1], [8, 1]));
    expect([cost.rounds, total(cost)]).toEqual([10 * levels, (extent - 1) * (607 + 7 * 64)]);
  }
});

it("takes the greatest of several axes, kept or not", () => {
  const x = Float64Array.from({ length: 24 }, (_, k) => ((k * 7) % 24) - 12);
  const { values } = execute(replicatedReduceMax, rows([2, 3, 4], [0, 2], [3], false), [x]);
  const expected = [0, 1, 2].map((row) => Math.max(...x.filter((_, k) => Math.floor(k / 4) % 3 === row)));
  expect([...values]).toEqual(expected);
});
