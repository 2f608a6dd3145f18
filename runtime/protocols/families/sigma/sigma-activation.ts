import type { MaskedValue, Party, Share, Steps } from "../../../core/index.ts";
import {
  add,
  addConstant,
  type IntTensor,
  intTensor,
  mul,
  mulConstant,
  powerOfTwo,
  type RingTensor,
  sub,
} from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { belowThresholds } from "../../comparison/index.ts";
import {
  bitToRing,
  defineProtocol,
  entryAt,
  gateByBit,
  mapMasked,
  maskedWidth,
  narrowMasked,
  negateByBit,
  type Protocol,
  publicShare,
  resizeRing,
  type Spec,
  selectMasked,
  stack,
} from "../../kit/index.ts";
import { dpfComparison, lookUpTable, truncateReduce } from "./sigma-core.ts";

/** Fractional bits of the table's argument. */
const coarseBits = 6;

/** An activation as relu(x) − d(|x|): a table of 2^`indexBits` entries gives d, which is 0 beyond it. */
export interface TableActivation {
  readonly operator: string;
  readonly indexBits: number;
  /** relu(u) − f(u) for u ≥ 0, by additions, products and quotients only: both parties must compute the same table. */
  readonly reluDeficit: (u: number) => number;
  /** Worst error of |relu(x) − d(|x| on 6 bits) − f(x)|; the test evaluates it. */
  readonly error: number;
}

const expOf = (x: number): number => powerOfTwo(x * Math.LOG2E);

/** u·(1 − Φ(u)): the normal distribution's tail by its Maclaurin series; 60 terms give 1e-12 up to u = 4. */
function geluDeficit(u: number): number {
  let term = u;
  let sum = u;
  for (let n = 1; n < 60; n++) {
    term *= (-u * u) / (2 * n);
    sum += term / (2 * n + 1);
  }
  return u * (0.5 - sum / Math.sqrt(2 * Math.PI));
}

/** 8 bits for GELU and 10 for SiLU on 6 fractional bits, as in SIGMA: |x| < 4 and |x| < 16. */
export const tableActivations = {
  gelu: { operator: "gelu", indexBits: 8, reluDeficit: geluDeficit, error: 0.0041 },
  silu: { operator: "silu", indexBits: 10, reluDeficit: (u: number) => u / (1 + expOf(u)), error: 0.004 },
} as const satisfies Record<string, TableActivation>;

function tableOf({ indexBits, reluDeficit: f }: TableActivation, scale: number): IntTensor {
  const size = 2 ** indexBits;
  return intTensor(
    [size],
    Float64Array.from({ length: size }, (_, index) => Math.round(f(index / 2 ** coarseBits) * 2 ** scale)),
  );
}

/** Ring of the argument on `coarseBits` fractional bits: SIGMA's ℓ − 2f + 7, where values have ℓ − f bits. */
const coarseWidth = ({ operands: [x] }: Spec): number => x!.width - 2 * x!.scale + coarseBits + 1;

/**
 * relu(x) − d(|x|) from a masked value. The argument is truncated to 6 fractional bits and opened; one key compares it
 * with 0 and with both ends of the table; its magnitude is clipped to the table's index, opened and looked up. Bits
 * each way per element: 1 + w, 2, indexBits, and 1 + n, where w is the coarse ring and n the masked value's. 5 rounds.
 */
function* activateByTable(party: Party, spec: Spec, f: TableActivation, masked: MaskedValue): Steps<RingTensor> {
  const { width } = masked.opened;
  const { scale } = spec.operands[0]!;
  const by = scale - coarseBits;
  const coarse = yield* maskAndOpen(
    party,
    yield* truncateReduce(party, narrowMasked(masked, coarseWidth(spec) + by), by),
  );
  const end = 2 ** f.indexBits;
  const less = yield* belowThresholds(party, coarse, [0, 1 - end, end], dpfComparison);
  const outside = add(add(entryAt(less, 1), entryAt(less, 2)), publicShare(party, ones(entryAt(less, 1))));
  const bits = yield* maskAndOpen(party, stack([entryAt(less, 0), outside]));
  const [negative, beyond] = [0, 1].map((k) => mapMasked(bits, (t) => entryAt(t, k))) as [MaskedValue, MaskedValue];
  const index = yield* maskAndOpen(party, clippedMagnitude(party, narrowMasked(coarse, f.indexBits), negative, beyond));
  const looked = yield* lookUpTable(party, index, tableOf(f, spec.result.scale), width);
  const positive: MaskedValue = { ...negative, opened: add(negative.opened, ones(negative.opened)) };
  return sub(selectMasked(party, positive, masked, width), looked);
}

/**
 * |y| where it fits the ring, the ring's largest residue where the magnitude is beyond: (1 − β)·(1 − 2ν)·y − β. Inputs:
 * the opened bits "negative" and "beyond", the low bits of the masked value, and the dealer's shares of the sign of 2δ,
 * of its products with y's mask and γ, and of γ. No traffic.
 */
function clippedMagnitude(party: Party, y: MaskedValue, negative: MaskedValue, beyond: MaskedValue): RingTensor {
  const { width } = y.opened;
  const gamma = resizeRing(beyond.mask.secret, width);
  const delta = addConstant(mulConstant(resizeRing(negative.mask.secret, width), -2), 1);
  const r = y.mask.secret;
  // δ'·y and γδ'·y: y = ŷ − r.
  const turned = (factor: RingTensor): RingTensor =>
    sub(mul(y.opened, party.dealt(factor)), party.dealt(mul(factor, r)));
  const plain = turned(delta);
  const guarded = turned(mul(gamma, delta));
  // 1 − β = β̂' + (1 − 2β̂')·γ for the complement β̂' of the opened bit; 1 − 2ν = (1 − 2ν̂)·δ'.
  const inside = add(beyond.opened, ones(beyond.opened));
  const kept = add(gateByBit(inside, plain), negateByBit(inside, guarded));
  const last = bitToRing(party, beyond, width);
  return sub(negateByBit(negative.opened, kept), last);
}

const ones = (bits: RingTensor): RingTensor => addConstant(mulConstant(bits, 0), 1);

function tableActivationProtocol(f: TableActivation): Protocol {
  return defineProtocol({
    name: `sigma.${f.operator}`,
    implements: f.operator,
    settings: ["2pc-dealer", "3pc"],
    family: "sigma",
    security: "semi-honest",
    paper: "SIGMA, Gupta et al., PoPETs 2024, section 5 and its code (GPU-MPC)",
    accuracy: { ulps: ({ result }) => 1 + f.error * 2 ** result.scale },
    forms: ["masked"],
    yields: "share",
    operandWidths: ({ operands: [x], result }) => [Math.max(maskedWidth(x!) + x!.scale, result.width)],
    refuses: (spec) => {
      const [x] = spec.operands;
      if (x!.scale !== spec.result.scale) return "argument and result must have the same scale";
      if (x!.scale <= coarseBits) return `the argument needs more than ${coarseBits} fractional bits`;
      return coarseWidth(spec) <= f.indexBits + 1 ? "its ring is too narrow for the table" : undefined;
    },
    *run(party, spec, x) {
      return { kind: "share", tensor: yield* activateByTable(party, spec, f, x as MaskedValue) } satisfies Share;
    },
  });
}

export const sigmaGelu = tableActivationProtocol(tableActivations.gelu);
export const sigmaSilu = tableActivationProtocol(tableActivations.silu);
