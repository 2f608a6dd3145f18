import { f32, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { choiceOf } from "./helpers/attrs.ts";
import { capScale, scaleOfMagnitude } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

const readers = { client: "client", server: "server" } as const;

/** The only operator that lowers a label; `to` names the party that learns the value. */
export const reveal = defineOp({
  name: "reveal",
  summary: "shares become a real number that one party learns",
  operands: ["x"],
  attrs: { to: { kind: "string", summary: "client or server" } },
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  // A boolean or an index becomes one again.
  element: ([x], _attrs, current) => (!isFixed(x!) ? x! : current && !isFixed(current) ? current : f32),
  label: (_operands, attrs) => choiceOf(attrs, "to", readers),
  linear: "joint",
  fixed: "rounded",
  // The low bits of a raw product reveal more than the declared output: they are dropped first.
  scales: ([x], _attrs, { activation }, known) => {
    const scale = capScale(x, scaleOfMagnitude(activation, known?.magnitudes?.operands[0]));
    return { operands: [scale], result: scale };
  },
});
