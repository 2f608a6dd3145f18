import { defineOp } from "./define.ts";
import { boolOf, numberOf, onnxNumber } from "./helpers/attrs.ts";
import { hull, interval } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";

export const trilu = defineOp({
  name: "trilu",
  summary: "upper or lower triangle of the last two axes, 0 elsewhere",
  operands: ["x"],
  attrs: { upper: { kind: "bool", default: true }, diagonal: { kind: "int", default: 0 } },
  onnx: [{ op: "Trilu", attrs: (onnx) => ({ upper: onnxNumber(onnx, "upper", 1) !== 0, diagonal: 0 }) }],
  shape: ([x]) => {
    if (x!.length < 2) throw new Error(`expected matrices, found ${formatShape(x!)}`);
    return x!;
  },
  range: ([a]) => hull(a!, interval(0, 0)),
  linear: "joint",
  evaluate: ([x], attrs) => {
    const [rows, columns] = [x!.shape.at(-2)!, x!.shape.at(-1)!];
    const upper = boolOf(attrs, "upper");
    const diagonal = numberOf(attrs, "diagonal");
    const isKept = (i: number): boolean => {
      const above = (i % columns) - (Math.floor(i / columns) % rows);
      return upper ? above >= diagonal : above <= diagonal;
    };
    return { shape: x!.shape, data: x!.data.map((value, i) => (isKept(i) ? value : 0)) };
  },
  fixed: "integers",
  scales: keepScale,
});
