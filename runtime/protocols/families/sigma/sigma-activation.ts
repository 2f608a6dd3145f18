import type { Party, Share, Steps, Wire } from "../../../core/index.ts";
import {
  add,
  addConstant,
  type IntTensor,
  integers,
  mul,
  mulConstant,
  powerOfTwo,
  type RingTensor,
  sub,
} from "../../../ring/index.ts";
import { openWire } from "../../boundary/index.ts";
import { below } from "../../comparison/index.ts";
import {
  at,
  bitToRing,
  defineProtocol,
  gate,
  mapWire,
  narrowed,
  type Protocol,
  publicShare,
  resize,
  type Spec,
  select,
  signed,
  stack,
  wireWidth,
} from "../../kit/index.ts";
import { byPoint, lookUp, truncateReduce } from "./sigma.ts";

/** Fractional bits on which the argument is looked up. */
const coarseBits = 6;

/** An activation as relu(x) − d(|x|), d looked up on `indexBits` bits: it is 0 beyond them. */
export interface TableActivation {
  readonly operator: string;
  readonly indexBits: number;
  /** relu(u) − f(u) for u ≥ 0, by additions, products and quotients only: both parties must have the same table. */
  readonly below: (u: number) => number;
  /** Worst |relu(x) − d(|x| on 6 bits) − f(x)|; the test evaluates it. */
  readonly error: number;
}

const expOf = (x: number): number => powerOfTwo(x * Math.LOG2E);

/** u·(1 − Φ(u)): the normal distribution's tail by its Maclaurin series, which 60 terms give to 1e-12 up to u = 4. */
function geluBelow(u: number): number {
  let term = u;
  let sum = u;
  for (let n = 1; n < 60; n++) {
    term *= (-u * u) / (2 * n);
    sum += term / (2 * n + 1);
  }
  return u * (0.5 - sum / Math.sqrt(2 * Math.PI));
}

/** 8 bits for GELU and 10 for SiLU on 6 fractional bits, as SIGMA has them: |x| < 4 and |x| < 16. */
export const tableActivations = {
  gelu: { operator: "gelu", indexBits: 8, below: geluBelow, error: 0.0041 },
  silu: { operator: "silu", indexBits: 10, below: (u: number) => u / (1 + expOf(u)), error: 0.004 },
} as const satisfies Record<string, TableActivation>;

function tableOf({ indexBits, below: f }: TableActivation, scale: number): IntTensor {
  const size = 2 ** indexBits;
  return integers(
    [size],
    Float64Array.from({ length: size }, (_, index) => Math.round(f(index / 2 ** coarseBits) * 2 ** scale)),
  );
}

/** Ring of the argument on `coarseBits` fractional bits: SIGMA's ℓ − 2f + 7, from the ℓ − f bits that values have. */
const coarseWidth = ({ operands: [x] }: Spec): number => x!.width - 2 * x!.scale + coarseBits + 1;

/**
 * relu(x) − d(|x|) from an open wire: the argument is truncated to 6 fractional bits and opened, one key compares it with
 * 0 and both ends of the table, its magnitude is clipped to the table's index and opened, and looked up.
 * Each way per element: 1 + w, 2, indexBits, and 1 + n bits, w the coarse ring and n the wire's. 5 rounds.
 */
function* activate(party: Party, spec: Spec, f: TableActivation, wire: Wire): Steps<RingTensor> {
  const { width } = wire.opened;
  const { scale } = spec.operands[0]!;
  const by = scale - coarseBits;
  const coarse = yield* openWire(party, yield* truncateReduce(party, narrowed(wire, coarseWidth(spec) + by), by));
  const end = 2 ** f.indexBits;
  const less = yield* below(party, coarse, [0, 1 - end, end], byPoint);
  const outside = add(add(at(less, 1), at(less, 2)), publicShare(party, ones(at(less, 1))));
  const bits = yield* openWire(party, stack([at(less, 0), outside]));
  const [negative, beyond] = [0, 1].map((k) => mapWire(bits, (t) => at(t, k))) as [Wire, Wire];
  const index = yield* openWire(party, magnitude(party, narrowed(coarse, f.indexBits), negative, beyond));
  const looked = yield* lookUp(party, index, tableOf(f, spec.result.scale), width);
  const positive: Wire = { ...negative, opened: add(negative.opened, ones(negative.opened)) };
  return sub(select(party, positive, wire, width), looked);
}

/**
 * |y| where it fits the ring, the ring's largest residue where the magnitude is beyond: (1 − β)·(1 − 2ν)·y − β, from the
 * opened bits of "negative" and "beyond" and the low bits of the wire, with the dealer's shares of 2δ's sign, its
 * products with y's mask and γ, and γ. No traffic.
 */
function magnitude(party: Party, y: Wire, negative: Wire, beyond: Wire): RingTensor {
  const { width } = y.opened;
  const gamma = resize(beyond.mask.secret, width);
  const delta = addConstant(mulConstant(resize(negative.mask.secret, width), -2), 1);
  const r = y.mask.secret;
  // δ'·y and γδ'·y: y = ŷ − r.
  const turned = (factor: RingTensor): RingTensor =>
    sub(mul(y.opened, party.dealt(factor)), party.dealt(mul(factor, r)));
  const plain = turned(delta);
  const guarded = turned(mul(gamma, delta));
  // 1 − β = β̂' + (1 − 2β̂')·γ for the complement β̂' of the opened bit; 1 − 2ν = (1 − 2ν̂)·δ'.
  const inside = add(beyond.opened, ones(beyond.opened));
  const kept = add(gate(inside, plain), signed(inside, guarded));
  const last = bitToRing(party, beyond, width);
  return sub(signed(negative.opened, kept), last);
}

const ones = (bits: RingTensor): RingTensor => addConstant(mulConstant(bits, 0), 1);

function tableProtocol(f: TableActivation): Protocol {
  return defineProtocol({
    name: `sigma.${f.operator}`,
    implements: f.operator,
    settings: ["2pc-dealer", "3pc"],
    family: "sigma",
    security: "semi-honest",
    paper: "SIGMA, Gupta et al., PoPETs 2024, section 5 and its code (GPU-MPC)",
    accuracy: { ulps: ({ result }) => 1 + f.error * 2 ** result.scale },
    forms: ["wire"],
    yields: "share",
    operandWidths: ({ operands: [x], result }) => [Math.max(wireWidth(x!) + x!.scale, result.width)],
    refuses: (spec) => {
      const [x] = spec.operands;
      if (x!.scale !== spec.result.scale) return "argument and result must have one scale";
      if (x!.scale <= coarseBits) return `the argument needs more than ${coarseBits} fractional bits`;
      return coarseWidth(spec) <= f.indexBits + 1 ? "its ring is too narrow for the table" : undefined;
    },
    *run(party, spec, x) {
      return { kind: "share", tensor: yield* activate(party, spec, f, x as Wire) } satisfies Share;
    },
  });
}

export const sigmaGelu = tableProtocol(tableActivations.gelu);
export const sigmaSilu = tableProtocol(tableActivations.silu);
