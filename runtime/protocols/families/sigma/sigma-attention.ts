import type { Party, Share, Steps, Wire } from "../../../core/index.ts";
import type { RingTensor } from "../../../ring/index.ts";
import { gatherFlat, mulConstant, reshape, transpose } from "../../../ring/index.ts";
import { openWire } from "../../boundary/index.ts";
import { defineProtocol, mapWire, type Protocol, type Spec, wireMatmul } from "../../kit/index.ts";
import { reachOf, type ScoreRows, scoreRows, spreadRows } from "../../softmax/index.ts";
import { truncateFloor, withShippedMask } from "./sigma.ts";
import { probabilities } from "./sigma-softmax.ts";

/** Fractional bits of the public factor on scores, where it is not a power of two. */
const factorBits = 12;

interface Plan {
  readonly layout: ScoreRows;
  readonly groups: number;
  /** The factor on scores: shifted away with their truncation, or multiplied first. */
  readonly factor: number;
  readonly scoreShift: number;
}

function planOf(spec: Spec): Plan {
  const {
    operands: [q, k],
    result,
    attrs,
  } = spec;
  const [batch, heads, places] = q!.shape as [number, number, number];
  const [, groups, columns] = k!.shape as [number, number, number];
  const scale = Number(attrs.scale);
  const shift = Math.log2(scale);
  const whole = Number.isInteger(shift);
  return {
    layout: scoreRows(batch * heads * places, places, columns, reachOf(spec)),
    groups,
    factor: whole ? 1 : Math.round(scale * 2 ** factorBits),
    scoreShift: q!.scale + k!.scale - result.scale + (whole ? -shift : factorBits),
  };
}

/**
 * softmax(scale·q·kᵀ)·v as SIGMA computes it: products of opened wires, opened and truncated by TrFloor; of causal scores
 * the lower triangle alone, packed.
 */
function* attend(party: Party, spec: Spec, q: Wire, k: Wire, v: Wire): Steps<Share> {
  const { layout, groups, factor, scoreShift } = planOf(spec);
  const { width } = spec.result;
  const [batch, heads, places, depth] = q.opened.shape as [number, number, number, number];
  const [columns, valueDepth] = [k.opened.shape[2]!, v.opened.shape[3]!];
  const perGroup = (heads / groups) * places;
  const grouped = mapWire(q, (t) => reshape(t, [batch, groups, perGroup, depth]));
  const keep = (t: RingTensor): RingTensor => gatherFlat(t, layout.flat, [layout.flat.length]);
  const turned = mapWire(k, (t) => transpose(t, [0, 1, 3, 2]));
  const products = wireMatmul(party, withShippedMask(party, grouped), withShippedMask(party, turned), keep);
  const scaled = yield* openWire(party, factor === 1 ? products : mulConstant(products, factor));
  const scores = yield* openWire(party, yield* truncateFloor(party, scaled, scoreShift, width));
  const weights = yield* openWire(party, yield* probabilities(party, scores, spec.result.scale, layout));
  const matrix = mapWire(weights, (t) => reshape(spreadRows(t, layout), [batch, groups, perGroup, columns]));
  const mixed = wireMatmul(party, withShippedMask(party, matrix), withShippedMask(party, v), (t) => t);
  const total = yield* openWire(party, reshape(mixed, [batch, heads, places, valueDepth]));
  return { kind: "share", tensor: yield* truncateFloor(party, total, spec.operands[2]!.scale, width) };
}

export const sigmaAttention = defineProtocol({
  name: "sigma.attention",
  implements: "attention",
  settings: ["2pc-dealer", "3pc"],
  family: "sigma",
  security: "semi-honest",
  paper: "SIGMA, Gupta et al., PoPETs 2024, section 5 and its code (GPU-MPC)",
  // The sum is looked up on 6 fractional bits: 2^−7 of it, which is 1 or more; the rest is rounding of the factors.
  accuracy: {
    ulps: ({ operands: [, , v], result }) =>
      2 + 2 ** result.scale * Math.max(Math.abs(v!.lo), Math.abs(v!.hi)) * (2 ** -7 + 2 ** -9),
  },
  forms: ["wire", "wire", "wire"],
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width, result.width],
  refuses: ({ operands, result }) =>
    operands.length > 3
      ? "it takes no added mask"
      : operands.some(({ scale }) => scale !== result.scale)
        ? "operands and result must have one scale"
        : undefined,
  *run(party, spec, q, k, v) {
    return yield* attend(party, spec, q as Wire, k as Wire, v as Wire);
  },
} satisfies Protocol);
