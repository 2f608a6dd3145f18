import { expect, test } from "vitest";
import { alignAdapters, sumAdapters } from "../../../compiler/adapters/combine-adapters.ts";
import type { LoraAdapter, LoraModule } from "../../../compiler/ownership/adapter.ts";
import { matmul } from "../../../ir/ops/matmul.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { codesOf } from "../onnx/format/build-model.ts";

const filled = (shape: readonly number[], from: number): Tensor =>
  tensor(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => ((from + k * 7) % 11) - 5),
  );
const half = (module: string, rank: number, from: number): LoraModule => ({
  module,
  a: filled([4, rank], from),
  b: filled([rank, 3], from + 3),
  rank,
  scale: 2,
});
const adapter = (folder: string, ...modules: readonly LoraModule[]): LoraAdapter => ({
  folder,
  modules,
  savedWeights: [],
  fanInFanOut: false,
});
const change = ({ a, b }: LoraModule): Tensor => matmul.evaluate([a, b], {});
const plus = (x: Tensor, y: Tensor): readonly number[] => Array.from(x.data, (value, k) => value + y.data[k]!);
const zero = tensor([4, 3], new Array(12).fill(0));

const [q1, q2, v2] = [half("q", 2, 0), half("q", 3, 4), half("v", 1, 8)];
const whole = (kept: boolean): LoraAdapter => ({
  ...adapter("whole", q1),
  savedWeights: [{ name: "classifier.weight", tensor: filled([2, 2], 1), kept }],
});

test("the changes of active adapters add up, layer by layer", () => {
  const sum = sumAdapters([adapter("x/one", q1), adapter("x/two", q2, v2)]);
  expect(sum.folder).toBe("one+two");
  const [q, v] = sum.modules as [LoraModule, LoraModule];
  expect([q.module, q.rank, v.module, v.rank]).toEqual(["q", 5, "v", 1]);
  expect([q.a.shape, q.b.shape]).toEqual([
    [4, 5],
    [5, 3],
  ]);
  expect([...change(q).data]).toEqual(plus(change(q1), change(q2)));
  expect([...change(v).data]).toEqual([...change(v2).data]);
});

test("one adapter is its own sum", () => {
  const one = adapter("one", q1);
  expect(sumAdapters([one])).toBe(one);
});

test("PEFT trains one copy of a whole weight at a time: two are refused, one goes through", () => {
  expect(codesOf(() => sumAdapters([whole(false), whole(false)]))).toEqual(["MRL0434"]);
  expect(sumAdapters([whole(false), adapter("two", q2)]).savedWeights.map(({ name }) => name)).toEqual([
    "classifier.weight",
  ]);
  // Saved beside the adapter without being trained: the model's own.
  expect(sumAdapters([whole(true), whole(true)]).savedWeights).toHaveLength(1);
});

test("adapters to choose from get one shape, and keep their changes", () => {
  const aligned = alignAdapters(
    new Map([
      ["one", adapter("one", q1)],
      ["two", adapter("two", q2, v2)],
    ]),
  );
  const shapes = [...aligned.values()].map(({ modules }) =>
    modules.map(({ module, a, b, rank }) => [module, a.shape, b.shape, rank]),
  );
  expect(shapes[0]).toEqual(shapes[1]);
  expect(shapes[0]).toEqual([
    ["q", [4, 3], [3, 3], 3],
    ["v", [4, 1], [1, 3], 1],
  ]);
  const changesOf = (name: string): readonly (readonly number[])[] =>
    aligned.get(name)!.modules.map((each) => [...change(each).data]);
  expect(changesOf("one")).toEqual([[...change(q1).data], [...zero.data]]);
  expect(changesOf("two")).toEqual([[...change(q2).data], [...change(v2).data]]);
});

test("nothing public names an adapter to choose", () => {
  const aligned = alignAdapters(
    new Map([
      ["secret", adapter("secret", q1)],
      ["other", adapter("other", q2)],
    ]),
  );
  for (const { folder } of aligned.values()) expect(folder).toBe("that the server chooses");
});

test("an adapter that replaces whole weights has no neutral value, so it is no choice", () => {
  const named = new Map([
    ["one", whole(false)],
    ["two", adapter("two", q2)],
  ]);
  expect(codesOf(() => alignAdapters(named))).toEqual(["MRL0434"]);
});
