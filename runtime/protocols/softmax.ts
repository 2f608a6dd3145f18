import type { Party, Share } from "../party.ts";
import { mulConstant, reshape, shiftRightRounded } from "../ring/index.ts";
import { sizeOf } from "../ring/tensor.ts";
import type { Steps } from "../steps.ts";
import { defineProtocol, type Spec } from "./define.ts";
import { octaveScale } from "./octaves.ts";
import { wireProduct } from "./products.ts";
import {
  inverseSums,
  scoreRows,
  scoreScale,
  scoreWeights,
  scoreWidth,
  spreadRows,
  sumPlan,
  weightScale,
} from "./scores.ts";
import { mapWire } from "./wires.ts";

/** Fractional bits of log2 e, which turns scores into base-2 units. */
const factorBits = 12;

const boundOf = (spec: Spec): number => {
  const x = spec.operands[0]!;
  return Math.max(Math.abs(x.lo), Math.abs(x.hi)) * Math.LOG2E;
};
const shiftOf = (spec: Spec): number => spec.operands[0]!.scale + factorBits - scoreScale;
/** Weights are below 1: value, sign, slack. */
const weightWidth = weightScale + 3;

function* softmax(party: Party, spec: Spec, x: Share): Steps<Share> {
  const { shape } = x.tensor;
  const columns = shape[shape.length - 1]!;
  const count = sizeOf(shape) / columns;
  const layout = scoreRows(count, count, columns, false);
  const scaled = shiftRightRounded(mulConstant(x.tensor, Math.round(Math.LOG2E * 2 ** factorBits)), shiftOf(spec));
  const { weights, sums } = yield* scoreWeights(party, reshape(scaled, [sizeOf(shape)]), layout, weightWidth);
  const inverse = yield* inverseSums(party, sums, layout);
  const width = spec.result.width + weightScale + octaveScale(sumPlan(layout)) - spec.result.scale;
  const product = wireProduct(
    party,
    mapWire(weights, (t) => spreadRows(t, layout)),
    mapWire(inverse, (t) => reshape(t, [count, 1])),
    width,
  );
  return { kind: "share", tensor: reshape(shiftRightRounded(product, width - spec.result.width), shape) };
}

/** Softmax over the last axis where it is not part of a recognised attention. 3·⌈log2 n⌉ + 8 rounds. */
export const coarseMaxSoftmax = defineProtocol({
  name: "coarse-max.softmax",
  implements: "softmax",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/attention.md",
  accuracy: { ulps: (spec) => Math.ceil(2 ** (spec.result.scale - 9)) + 2 },
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [scoreWidth(boundOf(spec)) + shiftOf(spec)],
  refuses: (spec) => {
    const axis = Number(spec.attrs.axis);
    if (axis !== -1 && axis !== spec.operands[0]!.shape.length - 1)
      return "softmax is taken over the last axis only: transpose before";
    if (scoreWidth(boundOf(spec)) > 30)
      return `scores need a ring of ${scoreWidth(boundOf(spec))} bits, comparisons take at most 30`;
    return undefined;
  },
  *run(party, spec, x) {
    return yield* softmax(party, spec, x as Share);
  },
});
