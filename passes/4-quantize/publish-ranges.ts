import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { largestOf } from "../../ir/ops/helpers/tensors.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { hasData } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import type { Observation } from "./calibration-types.ts";
import { hasInnerRange, type InnerRange } from "./inner-ranges.ts";
import { leastElement, weightsThatStayPositive } from "./positive-weights.ts";
import { valuesThatStayPositive, type WidenOptions, widenRanges } from "./widen-ranges.ts";

/**
 * What a published integer bounds; the bound is 2 to the power of the integer. `error`: of an output, in its units.
 * `distance`: how near to another decision an operand may go either way.
 */
export type PublishedKind =
  | "error"
  | "distance"
  | "weight"
  | "magnitude"
  | "least"
  | "score_bound"
  | "sum_lo"
  | "sum_hi";

/** An integer that the provider publishes about its weights. */
export interface PublishedBound {
  readonly value: ValueId;
  readonly bound: PublishedKind;
  readonly exponent: number;
}

export interface PublishedRanges {
  readonly observation: Observation;
  /** All that the observation takes from private weights, in program order. */
  readonly published: readonly PublishedBound[];
}

/**
 * Exponents that each kind may have: magnitudes of values below 1 gain nothing, those of weights below 2^−8 hardly. The
 * widths follow.
 */
const exponents: Readonly<Record<PublishedKind, Interval>> = {
  error: { lo: -64, hi: 63 },
  distance: { lo: -64, hi: 63 },
  weight: { lo: -8, hi: 55 },
  magnitude: { lo: 0, hi: 63 },
  score_bound: { lo: 0, hi: 63 },
  least: { lo: -64, hi: 63 },
  sum_lo: { lo: -64, hi: 63 },
  sum_hi: { lo: -64, hi: 63 },
};

/** Bits of a published integer. */
export const publishedBits = (kind: PublishedKind): number => Math.log2(exponents[kind].hi - exponents[kind].lo + 1);

/**
 * Ranges measured with private weights, as far as they become public: each bound takes the margin and is then rounded
 * outwards to a power of two. Which bounds there are follows from the module alone, so the integers are all that is
 * published. Values that no private weight reaches are measured with public weights, as ever; those that `given` bounds
 * are public already.
 */
export function publishRanges(
  module: Module,
  measured: { readonly public: Observation; readonly private: Observation },
  how: WidenOptions,
  given?: Observation,
): PublishedRanges {
  const { margin = 2, floor = 1, expanded = false } = how;
  const factor = expanded ? margin ** 2 : margin;
  const hidden = valuesOfPrivateWeights(module);
  const open = widenRanges(module, measured.public, how);
  const positive = expanded ? new Set<ValueId>() : valuesThatStayPositive(module);
  const values = new Map([...open.values].filter(([id]) => !hidden.has(id)));
  const inner = new Map([...open.inner].filter(([id]) => !hidden.has(id)));
  const { publish, published } = createPublication();
  const publishValue = (id: ValueId): void => {
    const found = measured.private.values.get(id);
    if (!found || given?.values.has(id)) return;
    const most = publish(id, "magnitude", Math.max(floor, factor * Math.max(Math.abs(found.lo), Math.abs(found.hi))));
    // A value that is not positive publishes the least exponent, which bounds nothing.
    const least = positive.has(id) ? publish(id, "least", Math.max(0, found.lo) / factor ** 2) : 0;
    values.set(id, { lo: least > 2 ** exponents.least.lo ? least : -most, hi: most });
  };
  // What the server computes alone, it computes with private weights.
  for (const id of module.inputs) if (hidden.has(id)) publishValue(id);
  for (const op of opsOf(module)) {
    const id = op.result;
    if (!hidden.has(id)) continue;
    if (!keepsMagnitude(op, module)) publishValue(id);
    const sums = measured.private.inner.get(id);
    if (sums && !given?.inner.has(id) && hasInnerRange(op) && op.name !== "softmax")
      inner.set(id, publishInner(id, sums, factor, floor, publish));
  }
  return { observation: { values, inner }, published };
}

/** Rounds a bound outwards to a power of two. */
type Publish = (value: ValueId, bound: PublishedKind, number: number) => number;

/** Bounds of which this rounds up; it rounds the others down. */
const upper: ReadonlySet<PublishedKind> = new Set([
  "error",
  "distance",
  "weight",
  "magnitude",
  "score_bound",
  "sum_hi",
]);

/** What is published, in the order of publication. */
export function createPublication(): { readonly publish: Publish; readonly published: readonly PublishedBound[] } {
  const published: PublishedBound[] = [];
  const publish: Publish = (value, bound, number) => {
    const { lo, hi } = exponents[bound];
    const power = upper.has(bound) ? Math.ceil(Math.log2(number)) : Math.floor(Math.log2(number));
    // No negative zero: it prints as 0.
    const exponent = Math.max(lo, Math.min(hi, power)) + 0;
    published.push({ value, bound, exponent });
    return 2 ** exponent;
  };
  return { publish, published };
}

export interface PublishedWeights {
  /** The power of two that each private weight stays below, by its param. */
  readonly bounds: ReadonlyMap<ValueId, number>;
  /** The power of two that a weight which must stay positive does not fall below. */
  readonly least: ReadonlyMap<ValueId, number>;
  readonly published: readonly PublishedBound[];
}

/** A little more than the largest magnitude: a weight stays below its bound after rounding. */
const below = 1 + 2 ** -16;

/** Bounds of private weights, as far as `given` does not have them. */
export function publishWeights(
  { module, weights }: PassState,
  given: ReadonlyMap<ValueId, number> = new Map(),
): PublishedWeights {
  const { publish, published } = createPublication();
  const bounds = new Map(given);
  const least = new Map<ValueId, number>();
  const positive = weightsThatStayPositive(module);
  for (const [id, name] of Object.entries(module.params)) {
    const weight = weights.get(name);
    if (module.values[id]!.type.label !== "server" || !weight || !hasData(weight)) continue;
    if (!given.has(id)) bounds.set(id, publish(id, "weight", below * largestOf(weight)));
    if (!positive.has(id)) continue;
    // One that is not positive publishes the least exponent, which bounds nothing.
    const most = publish(id, "least", Math.max(0, leastElement(weight)));
    if (most > 2 ** exponents.least.lo) least.set(id, most);
  }
  return { bounds, least, published };
}

/** Scores have both signs and take the margin like a value; sums of squares take its square. */
function publishInner(
  id: ValueId,
  { lo, hi }: InnerRange,
  factor: number,
  floor: number,
  publish: Publish,
): InnerRange {
  if (lo < 0) {
    const most = publish(id, "score_bound", Math.max(floor, factor * hi));
    return { lo: -most, hi: most };
  }
  return { lo: publish(id, "sum_lo", lo / factor ** 2), hi: publish(id, "sum_hi", hi * factor ** 2) };
}

/** Values that private weights reach, and what the server alone knows. */
export function valuesOfPrivateWeights(module: Module): ReadonlySet<ValueId> {
  const sources = [...module.inputs, ...Object.keys(module.params)];
  const hidden = new Set(sources.filter((id) => module.values[id]!.type.label === "server"));
  for (const { operands, result } of opsOf(module)) if (operands.some((id) => hidden.has(id))) hidden.add(result);
  return hidden;
}

/** Magnitudes at which an operator is tried. */
const trials = [1, 2 ** 10, 2 ** 20];

/**
 * Whether the result of an operator is as bounded as its operands, or bounded by 1, whatever they are: then interval
 * analysis bounds it from public numbers, and there is nothing to publish.
 */
export function keepsMagnitude({ name, operands, attrs }: Op, module: Module): boolean {
  const shapes = operands.map((id) => module.values[id]!.type.shape);
  return trials.every((most) => {
    const { lo, hi } = resultRange(
      opDef(name),
      operands.map(() => ({ lo: -most, hi: most })),
      attrs,
      shapes,
    );
    return -lo <= most && hi <= most;
  });
}
