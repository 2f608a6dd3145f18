import { expect, test } from "vitest";
import { publicWeightsFromPrivate } from "../../../compiler/compile/check-public-weights.ts";
import { tensor } from "../../../ir/tensor.ts";
import { module, weightsOf } from "../../targets/programs.ts";

const weights = weightsOf(1);
const publicOne = "model.o.weight";
const withOther = (name: string) => {
  const { shape, data } = weights.get(name)!;
  return new Map([...weights, [name, tensor(shape, data.with(0, 7))]]);
};

test("a public weight does not depend on private values", () => {
  expect(publicWeightsFromPrivate({ module, weights }, { module, weights: weightsOf(1) })).toEqual([]);
  expect(publicWeightsFromPrivate({ module, weights }, { module, weights: withOther("model.k.weight") })).toEqual([]);
});

test("a public weight that changes with private values is reported", () => {
  expect(publicWeightsFromPrivate({ module, weights }, { module, weights: withOther(publicOne) })).toEqual([publicOne]);
  const without = new Map([...weights].filter(([name]) => name !== publicOne));
  expect(publicWeightsFromPrivate({ module, weights }, { module, weights: without })).toEqual([publicOne]);
});
