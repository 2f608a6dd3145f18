import { type Shape, sameShape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf, onnxNumber } from "./helpers/attrs.ts";
import { offsetOf } from "./helpers/indices.ts";
import { formatShape } from "./helpers/shapes.ts";

function gatheredShape(data: Shape, indices: Shape, batch: number): Shape {
  const depth = indices.at(-1) ?? 0;
  const fits = indices.length > batch && sameShape(data.slice(0, batch), indices.slice(0, batch));
  if (!fits || batch + depth > data.length) {
    throw new Error(
      `expected index tuples for ${formatShape(data)} behind ${batch} batch axes, found ${formatShape(indices)}`,
    );
  }
  return [...indices.slice(0, -1), ...data.slice(batch + depth)];
}

export const gatherNd = defineOp({
  name: "gather-nd",
  summary: "parts of data, each selected by an index tuple (the last axis of indices)",
  operands: ["data", "indices"],
  attrs: { batch_dims: { kind: "int", default: 0 } },
  onnx: [{ op: "GatherND", attrs: (onnx) => ({ batch_dims: onnxNumber(onnx, "batch_dims", 0) }) }],
  shape: ([data, indices], attrs) => gatheredShape(data!, indices!, numberOf(attrs, "batch_dims")),
  range: ([a]) => a!,
  linear: "joint",
  selectors: [1],
  indices: [1],
  evaluate: ([data, indices], attrs) => {
    const batch = numberOf(attrs, "batch_dims");
    const shape = gatheredShape(data!.shape, indices!.shape, batch);
    const depth = indices!.shape.at(-1)!;
    const sizes = data!.shape.slice(batch, batch + depth);
    const part = sizeOf(data!.shape.slice(batch + depth));
    const whole = sizeOf(data!.shape.slice(batch));
    const tuples = sizeOf(indices!.shape.slice(0, -1));
    const perBatch = tuples / sizeOf(indices!.shape.slice(0, batch));
    const out = new Float64Array(sizeOf(shape));
    for (let n = 0; n < tuples; n++) {
      const tuple = indices!.data.subarray(n * depth, (n + 1) * depth);
      const from = Math.floor(n / perBatch) * whole + offsetOf(tuple, sizes, part);
      out.set(data!.data.subarray(from, from + part), n * part);
    }
    return { shape, data: out };
  },
  fixed: "integers",
});
