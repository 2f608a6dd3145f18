import { expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { createBuilder } from "../../../../ir/builder.ts";
import { interpret } from "../../../../ir/interpret.ts";
import { opsOf } from "../../../../ir/module.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { f32, i64 } from "../../../../ir/type.ts";
import { settled, sketch } from "./module-sketch.ts";

/** x[arange(batch), i], as exporters write it. */
function chosen(batch: number) {
  const builder = createBuilder("m", "import");
  const x = builder.input("x", { label: "client", element: f32, shape: [batch, 3, 2] });
  const last = builder.input("last", { label: "client", element: i64, shape: [batch] });
  const rows = builder.param("rows", { label: "public", element: i64, shape: [batch, 1] }, "constant:rows");
  const column = builder.op("reshape", [last], { shape: [batch, 1] });
  builder.output(builder.op("gather-nd", [x, builder.op("concat", [rows, column], { axis: 1 })], { batch_dims: 0 }));
  const places = tensor([batch, 1], [...Array(batch).keys()]);
  return { module: builder.finish(), weights: new Map([["constant:rows", places]]) };
}

it("turns a row of each text into a row, for a batch of one", () => {
  const { module, weights } = chosen(1);
  const after = fuseOperators(module, weights);
  expect(opsOf(after.module).map(({ name, operands }) => [name, operands.at(-1)])).toEqual([
    ["reshape", "x"],
    ["gather", "last"],
  ]);
  const inputs = new Map([
    ["x", tensor([1, 3, 2], [1, 2, 3, 4, 5, 6])],
    ["last", tensor([1], [-2])],
  ]);
  const [found] = [...interpret(after.module, after.weights, inputs).values()];
  expect(found).toEqual(tensor([1, 2], [3, 4]));
});

it("stays for several texts", () => {
  const { module, weights } = chosen(2);
  expect(opsOf(fuseOperators(module, weights).module).map(({ name }) => name)).toContain("gather-nd");
});

it("drops the subtracted maximum of a softmax, along the same axis only", () => {
  for (const axis of [1, 0]) {
    const made = sketch(({ builder, x, op }) => {
      const h = x("h", 3, 4);
      const most = builder.op("reduce-max", [h], { axes: [axis], keepdims: true });
      return builder.op("softmax", [op("sub", h, most)], { axis: 1 });
    });
    expect(settled(made)).toEqual(axis === 1 ? { softmax: 1 } : { "reduce-max": 1, sub: 1, softmax: 1 });
  }
});

it("ranks by a low number in place of −∞", () => {
  const made = sketch(({ builder, x, constant, op }) => {
    const seen = builder.op("compare", [x("c", 2, 4), constant(-1.5)], { kind: "greater" });
    return builder.op("rank", [op("where", seen, x("h", 2, 4), constant(Number.NEGATIVE_INFINITY))], { axis: 1 });
  });
  const after = fuseOperators(made.module, made.weights);
  expect([...after.weights.values()].flatMap(({ data }) => [...data])).toContain(-1e4);
  expect(settled(made)).toEqual({ compare: 1, where: 1, rank: 1 });
});
