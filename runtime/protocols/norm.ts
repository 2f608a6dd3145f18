import type { Party, Share, Wire } from "../party.ts";
import { addConstant, mulConstant, narrow, reduceSum, shiftRightRounded } from "../ring/index.ts";
import { floorLog2 } from "../ring/portable-math.ts";
import type { Steps } from "../steps.ts";
import { defineProtocol, type Protocol, type Spec } from "./define.ts";
import { type OctavePlan, octaveResultWidth, octaveScale, octaves, octaveWireWidth, planOctaves } from "./octaves.ts";
import { openWire } from "./open.ts";
import { sumOfSquares, wireProduct } from "./products.ts";
import { wireWidth } from "./widths.ts";
import { difference, lift, rescale, rescaledFrom } from "./wires.ts";

interface NormPlan {
  readonly octaves: OctavePlan;
  /** Ring in which squares are summed. */
  readonly sumWidth: number;
  /** Low bits dropped from the sum, and from the inverse root, before they are opened. */
  readonly sumDrop: number;
  readonly inverseDrop: number;
  readonly inverseScale: number;
  /** Low bits dropped from the product. */
  readonly productDrop: number;
}

/** Significant bits kept at the low end of the sum of squares. */
const sumBits = 10;

/**
 * √n/√(Σx² + n·ε) for rows of n, with public bounds sum_lo ≤ Σx² ≤ sum_hi (calibrated on public inputs). The inverse
 * root keeps as many fractional bits as the product with x leaves room for in 64 bits.
 */
function planNorm(spec: Spec): NormPlan {
  const x = spec.operands[0]!;
  const n = x.shape[x.shape.length - 1]!;
  const slack = Number(spec.attrs.epsilon) * n;
  const lo = Math.max(Number(spec.attrs.sum_lo) + slack, 2 ** -24);
  const hi = Math.max(Number(spec.attrs.sum_hi), lo) + slack;
  const scale = Math.min(2 * x.scale, Math.max(0, sumBits - floorLog2(lo)));
  const plan = planOctaves("rsqrt", lo, hi, scale, Math.sqrt(n));
  const sumDrop = 2 * x.scale - scale;
  const { result } = spec;
  const fullScale = octaveScale(plan);
  const inverseDrop = Math.max(0, result.width + x.scale + fullScale - result.scale - 64);
  const inverseScale = fullScale - inverseDrop;
  return {
    octaves: plan,
    sumWidth: octaveWireWidth(plan) + sumDrop,
    sumDrop,
    inverseDrop,
    inverseScale,
    productDrop: x.scale + inverseScale - result.scale,
  };
}

/** x·√n/√(Σx² + n·ε) over the last axis, from one opening of x (protocols.md 1.8). 4 rounds. */
function* normalise(party: Party, spec: Spec, x: Wire): Steps<Share> {
  const plan = planNorm(spec);
  const operand = spec.operands[0]!;
  const n = operand.shape[operand.shape.length - 1]!;
  const epsilon = Math.round(Number(spec.attrs.epsilon) * n * 2 ** (2 * operand.scale));
  const squares = sumOfSquares(party, x, plan.sumWidth);
  // ε is public: the server alone adds it.
  const biased = party.role === "client" ? squares : addConstant(squares, epsilon);
  const rows = yield* openWire(party, rescale(biased, plan.sumDrop));
  const full = yield* octaves(party, rows, plan.octaves, octaveResultWidth(plan.octaves));
  const inverse = yield* openWire(party, rescale(full, plan.inverseDrop));
  const product = wireProduct(party, x, inverse, rescaledFrom(spec.result.width, plan.productDrop));
  return { kind: "share", tensor: rescale(product, plan.productDrop) };
}

const common = {
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  forms: ["wire"],
  yields: "share",
  // Relative error of the inverse root about 2^−10, of values up to √n; measured over seeds by the test.
  accuracy: { ulps: (spec) => Math.ceil(2 ** (spec.result.scale - 9) * Math.max(1, spec.result.hi)) + 2 },
  operandWidths: ({ operands: [x] }) => [wireWidth(x!)],
  refuses: (spec) => {
    const plan = planNorm(spec);
    if (plan.sumWidth > 64) return `the sum of squares would need a ring of ${plan.sumWidth} bits, at most 64 exist`;
    if (plan.inverseScale < 4)
      return `the result's ring of ${spec.result.width} bits leaves no room for the inverse root`;
    return undefined;
  },
} as const satisfies Partial<Protocol>;

export const oneOpeningRmsNorm = defineProtocol({
  ...common,
  name: "one-opening.rms-norm",
  implements: "rms-norm",
  paper: "ours: docs/protocols/norm.md",
  *run(party, spec, x) {
    return yield* normalise(party, spec, x as Wire);
  },
});

/** The mean is opened as a wire of its own (its mask is fresh), and x − mean is then a wire without another opening. 5 rounds. */
export const oneOpeningLayerNorm = defineProtocol({
  ...common,
  name: "one-opening.layer-norm",
  implements: "layer-norm",
  paper: "ours: docs/protocols/norm.md",
  operandWidths: ({ operands: [x] }) => [wireWidth(x!) + 1],
  *run(party, spec, x) {
    const wire = x as Wire;
    const { shape } = spec.operands[0]!;
    const n = shape[shape.length - 1]!;
    const factorBits = 14;
    // Σx·round(2^14/n) / 2^14 in a ring that holds the sum of n values at that factor.
    const width = Math.min(64, wire.opened.width + floorLog2(n) + 1 + factorBits);
    const sum = reduceSum(lift(party, wire, width), [shape.length - 1], true);
    const mean = shiftRightRounded(mulConstant(sum, Math.round(2 ** factorBits / n)), factorBits);
    const centre = yield* openWire(party, narrow(mean, wire.opened.width));
    return yield* normalise(party, spec, difference(wire, centre));
  },
});
