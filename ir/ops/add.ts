import { binary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";

export const add = binary({
  name: "add",
  summary: "x + y",
  onnx: "Add",
  f: (x, y) => x + y,
  range: (a, b) => interval(a.lo + b.lo, a.hi + b.hi),
  linear: "joint",
  fixed: "integers",
  scales: alignScales,
});
