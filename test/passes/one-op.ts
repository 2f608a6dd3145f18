import { createBuilder } from "../../ir/build.ts";
import { interpret } from "../../ir/interpret.ts";
import type { Attrs, ValueId } from "../../ir/module.ts";
import { f32, type Shape, sizeOf } from "../../ir/type.ts";
import { type Tensor, tensor } from "../../ir/weights.ts";
import type { SplitState } from "../../passes/pass.ts";

/** One operator on one secret tensor, between `share` and `reveal`, as 2-rewrite would leave it. */
export function oneOp(name: string, shape: Shape, attrs: Attrs = {}): SplitState {
  const builder = createBuilder(name, "rewrite");
  const x = builder.input("x", { label: "client", element: f32, shape });
  const y = builder.op(name, [builder.op("share", [x], {}, { result: "secret" })], attrs, { result: "y" });
  builder.output(builder.op("reveal", [y], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map(), client, sources: new Map() };
}

/** What it computes of these numbers, in the arithmetic of its stage. */
export function outputOf({ module, weights }: SplitState, x: Tensor): Tensor {
  return interpret(module, weights, new Map<ValueId, Tensor>([["x", x]])).get("out")!;
}

/** Numbers from lo to hi at equal distances, in rows of that shape. */
export function grid(shape: Shape, lo: number, hi: number): Tensor {
  const count = sizeOf(shape);
  return tensor(
    shape,
    Float64Array.from({ length: count }, (_, k) => (count === 1 ? lo : lo + ((hi - lo) * k) / (count - 1))),
  );
}
