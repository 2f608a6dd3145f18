import { norm } from "./helpers/norm.ts";

export const layerNorm = norm({
  name: "layer-norm",
  summary: "(x − mean) / √(variance + epsilon) over the last axis, without norm weight and bias",
  centre: (row) => row.reduce((sum, value) => sum + value, 0) / row.length,
});
