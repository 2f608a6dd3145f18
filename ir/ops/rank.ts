import { i64, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { boolOf, numberOf } from "./helpers/attrs.ts";
import { interval } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { axisOf } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

export const rank = defineOp({
  name: "rank",
  summary: "number of elements ahead along an axis: larger ones (smaller without `largest`), and equal ones before",
  operands: ["x"],
  attrs: { axis: { kind: "int" }, largest: { kind: "bool", default: true } },
  shape: ([x], attrs) => {
    axisOf(numberOf(attrs, "axis"), x!.length);
    return x!;
  },
  element: (_operands, _attrs, current) => (current && isFixed(current) ? current : i64),
  anyRing: true,
  range: (_ranges, attrs, [x]) => interval(0, Math.max(0, x![axisOf(numberOf(attrs, "axis"), x!.length)]! - 1)),
  linear: "none",
  evaluate: ([x], attrs) => {
    const { size, inner } = splitAtAxis(x!.shape, axisOf(numberOf(attrs, "axis"), x!.shape.length));
    const sign = boolOf(attrs, "largest") ? 1 : -1;
    const data = x!.data.map((value, at) => {
      const own = Math.floor(at / inner) % size;
      const ahead = Array.from({ length: size }, (_, position) => {
        const other = x!.data[at + (position - own) * inner]!;
        return sign * other > sign * value || (other === value && position < own);
      });
      return ahead.filter(Boolean).length;
    });
    return { shape: x!.shape, data };
  },
  fixed: "rounded",
  scales: (operands, attrs, precision) => ({ ...keepScale(operands, attrs, precision), result: 0 }),
});
