import { binary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";

export const sub = binary({
  name: "sub",
  summary: "x − y",
  onnx: "Sub",
  f: (x, y) => x - y,
  range: (a, b) => interval(a.lo - b.hi, a.hi - b.lo),
  linear: "joint",
  fixed: "integers",
  scales: alignScales,
});
