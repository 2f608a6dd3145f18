import { fx, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { capScale, scaleOfMagnitude } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

/** Bits of the ring of shares that leave a program: a double holds each residue exactly. */
export const handOverWidth = 53;

/** An output that stays shared: each party keeps its residue, for a program that takes it over later. */
export const handOver = defineOp({
  name: "hand-over",
  summary: `an output that stays shared, in fresh shares of ${handOverWidth} bits for a later program`,
  operands: ["x"],
  attrs: {},
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  element: ([x]) => (isFixed(x!) ? fx(handOverWidth, x.scale) : x!),
  ring: handOverWidth,
  label: () => "shared",
  linear: "none",
  fixed: "integers",
  // As of a value that is revealed: the low bits of a raw product are no part of it, and would take bits of the ring.
  scales: ([x], _attrs, { activation }, known) => {
    const scale = capScale(x, scaleOfMagnitude(activation, known?.magnitudes?.operands[0]));
    return { operands: [scale], result: scale };
  },
});
