import type { Party, Share, Wire } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { add, addConstant, concat, mulConstant, reshape } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { below, comparisonOf, comparisonVariants, negated, tooWide, unequalScales } from "../comparison/index.ts";
import {
  at,
  bitToRing,
  defineProtocol,
  lift,
  mapWire,
  narrowed,
  type Spec,
  select,
  signedBits,
  wireWidth,
} from "../kit/index.ts";

/** The bounds as raw integers, where the operand can go beyond them. */
function boundsOf({ operands: [x], attrs }: Spec): { readonly lo?: number; readonly hi?: number } {
  const unit = 2 ** x!.scale;
  // As the interpreter rounds what it clips to: a bound between two units is the one nearer to it.
  const [lo, hi] = [Math.round(Number(attrs.lo) * unit), Math.round(Number(attrs.hi) * unit)];
  return { ...(lo > x!.lo * unit && { lo }), ...(hi < x!.hi * unit && { hi }) };
}

/** Ring that holds x − t with slack for each bound t. */
function widthOf(spec: Spec): number {
  const [x] = spec.operands;
  const unit = 2 ** x!.scale;
  const { lo = 0, hi = 0 } = boundsOf(spec);
  return Math.max(wireWidth(x!), ...[lo, hi].map((t) => signedBits(x!.lo * unit - t, x!.hi * unit - t, 0) + 1));
}

/**
 * Both bounds against one opening. With t the upper bound (or the only one), m = 1{lo ≤ x < hi} and b = 1{x < lo},
 *     clip(x) = t + m·(x − t) + (lo − t)·b
 * takes one product with the secret. 2 rounds with digit tables (ours: docs/protocols/ordering.md).
 */
export const thresholdClip = defineProtocol({
  name: "threshold.clip",
  implements: "clip",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["wire"],
  yields: "share",
  operandWidths: (spec) => [widthOf(spec)],
  refuses: (spec) => {
    if (Number(spec.attrs.lo) > Number(spec.attrs.hi)) return "its bounds are out of order";
    const { lo = 0, hi = 0 } = boundsOf(spec);
    if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi)) return "its bounds need more than 53 bits";
    return unequalScales(...spec.operands, spec.result) ?? tooWide(widthOf(spec), comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(widthOf(spec)),
  *run(party, spec, x) {
    const wire = narrowed(x as Wire, widthOf(spec));
    const { lo, hi } = boundsOf(spec);
    const { width } = spec.result;
    const bounds = [lo, hi].filter((bound) => bound !== undefined);
    if (bounds.length === 0) return { kind: "share", tensor: lift(party, wire, width) } satisfies Share;
    const less = yield* below(party, wire, bounds, comparisonOf(spec));
    const last = at(less, bounds.length - 1);
    const inside = hi === undefined ? negated(party, last) : lo === undefined ? last : add(last, at(less, 0));
    const both = bounds.length === 2;
    const opened = yield* openWire(party, concat([inside, ...(both ? [at(less, 0)] : [])].map(stacked), 0));
    const kept = mapWire(opened, (t) => at(t, 0));
    const t = bounds.at(-1)!;
    const beyond = { ...wire, opened: addConstant(wire.opened, -t) };
    const clipped = shifted(party, select(party, kept, beyond, width), t);
    if (!both) return { kind: "share", tensor: clipped } satisfies Share;
    const under = bitToRing(
      party,
      mapWire(opened, (bits) => at(bits, 1)),
      width,
    );
    return { kind: "share", tensor: add(clipped, mulConstant(under, lo! - t)) } satisfies Share;
  },
});

const stacked = (t: RingTensor): RingTensor => reshape(t, [1, ...t.shape]);
/** A public number joins one share alone. */
const shifted = (party: Party, x: RingTensor, n: number): RingTensor =>
  party.role === "client" ? x : addConstant(x, n);
