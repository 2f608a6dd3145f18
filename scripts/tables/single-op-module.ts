import { createBuilder } from "../../ir/builder.ts";
import { interpret } from "../../ir/interpret.ts";
import type { Attrs, ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { f32, type Interval, type Shape, sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../../passes/pass.ts";

/** One operator on one secret tensor, between `share` and `reveal`, as after 2-rewrite. */
export function singleOpModule(name: string, shape: Shape, attrs: Attrs = {}, range?: Interval): SplitState {
  const builder = createBuilder(name, "rewrite");
  const x = builder.input("x", { label: "client", element: f32, shape }, range);
  const y = builder.op(name, [builder.op("share", [x], {}, { result: "secret" })], attrs, { result: "y" });
  builder.output(builder.op("reveal", [y], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map(), client, sources: new Map() };
}

/** Interprets the module on `x` in the arithmetic of its stage. */
export function evaluateModule({ module, weights }: SplitState, x: Tensor): Tensor {
  return interpret(module, weights, new Map<ValueId, Tensor>([["x", x]])).get("out")!;
}

/** Values from lo to hi at equal distances. */
export function evenGrid(shape: Shape, lo: number, hi: number): Tensor {
  const count = sizeOf(shape);
  return tensor(
    shape,
    Float64Array.from({ length: count }, (_, k) => (count === 1 ? lo : lo + ((hi - lo) * k) / (count - 1))),
  );
}

/** Values spread over [lo, hi] in no order, both ends included: multiples of the golden ratio modulo 1. */
export function lowDiscrepancy(shape: Shape, lo: number, hi: number): Tensor {
  const golden = (Math.sqrt(5) - 1) / 2;
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, k) => lo + (hi - lo) * ((k * golden) % 1));
  if (data.length > 1) data[1] = hi;
  return tensor(shape, data);
}
