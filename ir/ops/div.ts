import { binary } from "./helpers/elementwise.ts";
import { corners, unbounded } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const div = binary({
  name: "div",
  summary: "x / y; on integers, rounded toward zero",
  onnx: "Div",
  f: (x, y) => x / y,
  range: (a, b) => (b.lo <= 0 && b.hi >= 0 ? unbounded : corners((x, y) => x / y, a, b)),
  scales: activationScale,
});
