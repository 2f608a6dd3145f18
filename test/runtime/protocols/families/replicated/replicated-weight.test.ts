import { expect, it } from "vitest";
import {
  replicatedMatmul,
  replicatedMul,
} from "../../../../../runtime/protocols/families/replicated/replicated-product.ts";
import {
  replicatedWeightMatmul,
  replicatedWeightMul,
} from "../../../../../runtime/protocols/families/replicated/replicated-weight.ts";
import { costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const matrices = {
  operands: [fixed([5, 33], 12, -1, 1), fixed([33, 7], 12, -1, 1)],
  result: fixed([5, 7], 24, -33, 33, 64),
  attrs: {},
};
const factors = {
  operands: [fixed([9], 12, -16, 16), fixed([9], 12, -16, 16)],
  result: fixed([9], 12, -256, 256, 64),
  attrs: {},
};

it("a weight of the server's costs what a secret does: its sharing is in setup", () => {
  expect(costOf(replicatedWeightMatmul, matrices)).toEqual(costOf(replicatedMatmul, matrices));
  expect(costOf(replicatedWeightMul, factors)).toEqual(costOf(replicatedMul, factors));
});

it("no party but the server has the weight, and all three have shares of the product", () => {
  const x = Float64Array.from({ length: 9 }, (_, k) => k - 4);
  const w = Float64Array.from({ length: 9 }, (_, k) => 3 - k / 2);
  const { values, client, server, dealer } = execute(replicatedWeightMul, factors, [x, w]);
  values.forEach((v, k) => {
    expect(Math.abs(v - x[k]! * w[k]!)).toBeLessThanOrEqual(2 ** -12);
  });
  expect([client, server, dealer].map(({ kind }) => kind)).toEqual(Array(3).fill("replicated"));
});
