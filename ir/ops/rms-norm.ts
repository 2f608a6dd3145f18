import { norm } from "./helpers/norm.ts";

export const rmsNorm = norm({
  name: "rms-norm",
  summary: "x / √(mean(x²) + epsilon) over the last axis, without norm weight",
  centre: () => 0,
});
