import { type Shape, sameShape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { offsetOf } from "./helpers/indices.ts";
import { hull } from "./helpers/interval.ts";
import { formatShape } from "./helpers/shapes.ts";

function scatteredShape(data: Shape, indices: Shape, updates: Shape): Shape {
  const depth = indices.at(-1) ?? Infinity;
  if (depth > data.length || !sameShape(updates, [...indices.slice(0, -1), ...data.slice(depth)])) {
    throw new Error(
      `expected one update of ${formatShape(data)} for each tuple of ${formatShape(indices)}, found ${formatShape(updates)}`,
    );
  }
  return data;
}

export const scatterNd = defineOp({
  name: "scatter-nd",
  summary: "data, with the parts that index tuples select replaced by updates",
  operands: ["data", "indices", "updates"],
  attrs: {},
  onnx: [
    {
      op: "ScatterND",
      attrs: ({ reduction }) => {
        if ((reduction ?? "none") !== "none") throw new Error(`expected reduction none, found ${reduction}`);
        return {};
      },
    },
  ],
  shape: ([data, indices, updates]) => scatteredShape(data!, indices!, updates!),
  range: ([data, , updates]) => hull(data!, updates!),
  linear: "joint",
  selectors: [1],
  evaluate: ([data, indices, updates]) => {
    const depth = indices!.shape.at(-1)!;
    const part = sizeOf(data!.shape.slice(depth));
    const out = data!.data.slice();
    for (let n = 0; n < sizeOf(indices!.shape.slice(0, -1)); n++) {
      const at = offsetOf(indices!.data.subarray(n * depth, (n + 1) * depth), data!.shape.slice(0, depth), part);
      out.set(updates!.data.subarray(n * part, (n + 1) * part), at);
    }
    return { shape: data!.shape, data: out };
  },
  fixed: "integers",
});
