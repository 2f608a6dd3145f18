import { i64, isFixed, sameShape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { hull, interval } from "./helpers/interval.ts";
import { axisOf, formatShape } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

export const selectByRank = defineOp({
  name: "select-by-rank",
  summary: "entries of x along an axis by their ranks, those of the first `count` ranks; without x their indices",
  operands: ["ranks", "x?"],
  attrs: { axis: { kind: "int" }, count: { kind: "int" } },
  shape: ([ranks, x], attrs) => {
    const axis = axisOf(numberOf(attrs, "axis"), ranks!.length);
    const count = numberOf(attrs, "count");
    if (x && !sameShape(ranks!, x)) throw new Error(`expected as many ranks as entries, found ${formatShape(ranks!)}`);
    if (!(count >= 1 && count <= ranks![axis]!)) throw new Error(`expected 1 to ${ranks![axis]} ranks, found ${count}`);
    return ranks!.with(axis, count);
  },
  element: ([, x], _attrs, current) => (current && isFixed(current) ? current : (x ?? i64)),
  anyRing: true,
  // A 0 fills each of the first `count` ranks that no entry has.
  range: ([, x], attrs, [ranks]) =>
    x ? hull(x, interval(0, 0)) : interval(0, ranks![axisOf(numberOf(attrs, "axis"), ranks!.length)]! - 1),
  linear: "none",
  evaluate: ([ranks, x], attrs) => {
    const axis = axisOf(numberOf(attrs, "axis"), ranks!.shape.length);
    const count = numberOf(attrs, "count");
    const { size, inner } = splitAtAxis(ranks!.shape, axis);
    const shape = ranks!.shape.with(axis, count);
    const data = new Float64Array(sizeOf(shape));
    ranks!.data.forEach((rank, at) => {
      const [outer, position] = [Math.floor(at / (size * inner)), Math.floor(at / inner) % size];
      if (rank < count) data[(outer * count + rank) * inner + (at % inner)] = x ? x.data[at]! : position;
    });
    return { shape, data };
  },
  fixed: "integers",
  scales: ([, ...entries], _attrs, precision) => {
    const [scale = precision.activation] = entries;
    return entries.length === 0 ? { operands: [0], result: 0 } : { operands: [0, scale], result: scale };
  },
});
