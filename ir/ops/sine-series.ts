import { defineOp } from "./define.ts";
import { numberListOf, numberOf } from "./helpers/attrs.ts";
import { interval } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

/** A Fourier series of an odd function, as published approximations of activations are given. */
export const sineSeries = defineOp({
  name: "sine-series",
  summary: "Σ sines[k−1] · sin(2πk · x / period), k = 1, 2, …",
  operands: ["x"],
  attrs: { period: { kind: "float" }, sines: { kind: "floats", summary: "coefficients, the first harmonic first" } },
  shape: sameAsFirst,
  range: (_operands, attrs) => {
    const most = numberListOf(attrs, "sines").reduce((sum, c) => sum + Math.abs(c), 0);
    return interval(-most, most);
  },
  linear: "none",
  evaluate: ([x], attrs) => {
    const turn = (2 * Math.PI) / numberOf(attrs, "period");
    const sines = numberListOf(attrs, "sines");
    return map(x!, (value) => sines.reduce((sum, c, k) => sum + c * Math.sin((k + 1) * turn * value), 0));
  },
  fixed: "rounded",
  scales: activationScale,
});
