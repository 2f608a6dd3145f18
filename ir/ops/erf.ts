import { unary } from "./helpers/elementwise.ts";
import { erfOf } from "./helpers/erf.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const erf = unary({
  name: "erf",
  summary: "2/√π · ∫₀ˣ exp(−t²) dt",
  onnx: "Erf",
  f: erfOf,
  range: increasing(erfOf),
  scales: activationScale,
});
