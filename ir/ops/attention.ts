import type { Attrs } from "../module.ts";
import type { Tensor } from "../tensor.ts";
import { broadcast, type Shape, sameShape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { boolOf, numberOf } from "./helpers/attrs.ts";
import { hull, interval } from "./helpers/interval.ts";
import { multiplyReals } from "./helpers/real-products.ts";
import { capScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";
import { expandTo } from "./helpers/tensors.ts";

function attentionShape([q, k, v, mask]: readonly Shape[]): Shape {
  const [batch, heads, rows, depth] = q!;
  const [keyBatch, groups, columns, keyDepth] = k!;
  const fits =
    [q, k, v].every((shape) => shape!.length === 4) &&
    batch === keyBatch &&
    depth === keyDepth &&
    heads! % groups! === 0 &&
    sameShape(v!.slice(0, 3), k!.slice(0, 3)) &&
    (!mask || sameShape(broadcast(mask, [batch!, heads!, rows!, columns!]) ?? [], [batch!, heads!, rows!, columns!]));
  if (!fits) {
    const found = [q!, k!, v!, ...(mask ? [mask] : [])].map(formatShape).join(", ");
    throw new Error(`expected q [B, H, S, D], k [B, G, T, D], v [B, G, T, E], mask to [B, H, S, T], found ${found}`);
  }
  return [batch!, heads!, rows!, v![3]!];
}

/** Softmax of one row in place; a row of masked scores alone becomes zeros. */
function softmaxInPlace(row: Float64Array): void {
  let most = -Infinity;
  for (let j = 0; j < row.length; j++) most = Math.max(most, row[j]!);
  if (most === -Infinity) return void row.fill(0);
  let sum = 0;
  for (let j = 0; j < row.length; j++) {
    row[j] = Math.exp(row[j]! - most);
    sum += row[j]!;
  }
  for (let j = 0; j < row.length; j++) row[j] = row[j]! / sum;
}

function attend([q, k, v, mask]: readonly Tensor[], attrs: Attrs): Tensor {
  const shape = attentionShape([q!, k!, v!, ...(mask ? [mask] : [])].map((operand) => operand.shape));
  const [batch, heads, rows, width] = shape as [number, number, number, number];
  const [, groups, columns, depth] = k!.shape as [number, number, number, number];
  const scale = numberOf(attrs, "scale");
  const causal = boolOf(attrs, "causal");
  const window = numberOf(attrs, "window");
  const added = mask && expandTo(mask, [batch, heads, rows, columns]).data;
  const out = new Float64Array(sizeOf(shape));
  const turned = new Float64Array(depth * columns);
  const scores = new Float64Array(rows * columns);
  for (let head = 0; head < batch * heads; head++) {
    const group = Math.floor(head / heads) * groups + Math.floor(((head % heads) * groups) / heads);
    const keys = k!.data.subarray(group * columns * depth, (group + 1) * columns * depth);
    for (let j = 0; j < columns; j++) for (let d = 0; d < depth; d++) turned[d * columns + j] = keys[j * depth + d]!;
    scores.fill(0);
    multiplyReals(scores, q!.data.subarray(head * rows * depth, (head + 1) * rows * depth), turned, {
      rows,
      depth,
      columns,
    });
    for (let i = 0; i < rows; i++) {
      const row = scores.subarray(i * columns, (i + 1) * columns);
      for (let j = 0; j < columns; j++) {
        const back = i + (columns - rows) - j;
        const isSeen = !(causal && back < 0) && !(window !== 0 && back >= window);
        row[j] = isSeen ? scale * row[j]! + (added ? added[(head * rows + i) * columns + j]! : 0) : -Infinity;
      }
      softmaxInPlace(row);
    }
    const values = v!.data.subarray(group * columns * width, (group + 1) * columns * width);
    multiplyReals(out.subarray(head * rows * width, (head + 1) * rows * width), scores, values, {
      rows,
      depth: columns,
      columns: width,
    });
  }
  return { shape, data: out };
}

export const attention = defineOp({
  name: "attention",
  summary: "softmax(scale · q·kᵀ + mask) · v; query head h of H uses key head floor(h · G / H) of G",
  operands: ["q", "k", "v", "mask?"],
  attrs: {
    scale: { kind: "float" },
    causal: { kind: "bool", default: false, summary: "score (i, j) exists iff j <= i + (T − S)" },
    window: { kind: "int", default: 0, summary: "score (i, j) exists iff j > i + (T − S) − window too; 0: all do" },
    score_bound: {
      kind: "float",
      default: 0,
      summary: "maximum |scale · log2 e · q·k|, set by 4-quantize; 0: unknown",
    },
  },
  shape: attentionShape,
  // A weighted mean of values, or 0 for a row without scores.
  range: ([, , v, mask], attrs, [q, k]) => {
    const empty = (boolOf(attrs, "causal") && k![2]! < q![2]!) || mask?.lo === -Infinity || k![2] === 0;
    return empty ? hull(v!, interval(0, 0)) : v!;
  },
  linear: "none",
  evaluate: attend,
  fixed: "rounded",
  scales: ([q, k, v, ...mask], _attrs, precision) => ({
    operands: [
      capScale(q, precision.query),
      capScale(k, precision.query),
      capScale(v, precision.value),
      ...mask.map((scale) => capScale(scale, precision.activation)),
    ],
    result: precision.activation,
  }),
});
