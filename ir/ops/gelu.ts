import type { Interval } from "../type.ts";
import { defineOp } from "./define.ts";
import { choiceOf } from "./helpers/attrs.ts";
import { erfOf } from "./helpers/erf.ts";
import { interval } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

/** x·Φ(x), and the form that Hendrycks and Gimpel (arXiv 1606.08415, section 2) give with tanh. */
const forms = {
  none: (x: number): number => (x === -Infinity ? 0 : 0.5 * x * (1 + erfOf(x / Math.SQRT2))),
  tanh: (x: number): number =>
    x === -Infinity ? 0 : 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** Below the minimum of both forms: −0.16997 at x = −0.7518 and −0.17004 at x = −0.7525. */
const lowerBound = -0.1701;

function range(f: (x: number) => number, a: Interval): Interval {
  return interval(a.lo >= 0 ? f(a.lo) : lowerBound, Math.max(0, f(a.hi)));
}

export const gelu = defineOp({
  name: "gelu",
  summary: "x · Φ(x), Φ the normal distribution function; tanh: its usual approximation",
  operands: ["x"],
  attrs: { approximate: { kind: "string", default: "none", summary: "none or tanh" } },
  onnx: [
    { op: "Gelu", attrs: ({ approximate }) => ({ approximate: approximate ?? "none" }) },
    { op: "Gelu", domain: "com.microsoft", attrs: () => ({ approximate: "none" }) },
  ],
  shape: sameAsFirst,
  range: ([a], attrs) => range(choiceOf(attrs, "approximate", forms), a!),
  linear: "none",
  evaluate: ([x], attrs) => map(x!, choiceOf(attrs, "approximate", forms)),
  fixed: "rounded",
  scales: activationScale,
});
