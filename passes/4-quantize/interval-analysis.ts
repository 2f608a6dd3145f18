import { type Attrs, type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { hasData, type Tensor } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import type { Calibration, Observation } from "./calibration-types.ts";
import { comparedValues } from "./compared-values.ts";
import { hasInnerRange } from "./inner-ranges.ts";
import { publicLeast } from "./positive-weights.ts";
import { createProver } from "./prove-ranges.ts";
import { queryRoom } from "./query-room.ts";
import { publicMagnitudes, weightBound } from "./weight-bounds.ts";

const unbounded: Interval = { lo: -Infinity, hi: Infinity };
const none: Interval = { lo: 0, hi: 0 };
const unitInterval: Interval = { lo: 0, hi: 1 };
const magnitude = ({ lo, hi }: Interval): number => Math.max(Math.abs(lo), Math.abs(hi));

/**
 * Forward interval analysis by the op tables and by relations between values (docs/range-analysis.md), tightened by
 * measured ranges. `published`: powers of two that the provider publishes as bounds of private weights, by their params.
 * A public weight without data has the bound of a private one. `least`: powers of two that private weights which must
 * stay positive do not fall below.
 */
export function analyzeRanges(
  { module, weights }: PassState,
  precision: Precision,
  observed?: Observation,
  published?: ReadonlyMap<ValueId, number>,
  least: ReadonlyMap<ValueId, number> = publicLeast({ module, weights }),
): Calibration {
  const ranges = new Map<ValueId, Interval>();
  const proven = createProver(module, weights, ranges);
  const facts = new Map<ValueId, Attrs>();
  const proofs = new Map<ValueId, Interval>();
  for (const id of module.inputs) {
    const { type, range } = module.values[id]!;
    const known = range ?? (type.element.kind === "bool" ? unitInterval : unbounded);
    proofs.set(id, known);
    ranges.set(id, meet(known, observed?.values.get(id)));
  }
  const magnitudes = publicMagnitudes({ module, weights }, published);
  const { thresholds, thresholdOf } = comparedValues(module);
  /** A threshold that is useful is as large as what it is compared with. */
  const reachOf = (id: ValueId): number =>
    (thresholds.get(id) ?? []).reduce(
      (most, other) => Math.max(most, magnitude(observed?.values.get(other) ?? none)),
      0,
    );
  for (const [id, weight] of Object.entries(module.params)) {
    const value = weights.get(weight);
    const isKnown = module.values[id]!.type.label === "public" && value !== undefined && hasData(value);
    const bound = published?.get(id) ?? weightBound(magnitudes.get(id) ?? 0, precision, reachOf(id));
    ranges.set(id, isKnown ? extremes(value) : { lo: least.get(id) ?? -bound, hi: bound });
  }
  for (const op of opsOf(module)) {
    const proof = withRoundingRoom(proven(op));
    proofs.set(op.result, proof);
    const param = thresholdOf(op.result);
    const seen = observed?.values.get(op.result);
    // A threshold that is looked up is as large as one may be: what stands for it says nothing of that.
    const isLarger = param !== undefined && reachOf(param) > magnitude(seen ?? none);
    ranges.set(op.result, meet(proof, isLarger && seen ? ranges.get(param) : seen));
    if (op.name === "exp") boundExponent(op, ranges);
    if (hasInnerRange(op)) facts.set(op.result, innerAttrs(op, module, ranges, observed?.inner.get(op.result)));
  }
  return { ranges, facts, proofs, magnitudes };
}

/** Real numbers may cancel to 0 where fixed point leaves a few units: a range below this gets its room. */
const roundingRoom = 2 ** -6;

function withRoundingRoom(range: Interval): Interval {
  if (magnitude(range) >= roundingRoom) return range;
  const isSigned = range.lo < 0 || range.hi === 0;
  return { lo: isSigned ? -roundingRoom : range.lo, hi: roundingRoom };
}

/**
 * x ≤ ln b where e^x ≤ b: whoever leaves the one bound leaves the other. The protocol's precision follows from the
 * upper end of x. A positive end keeps the room that queries are promised.
 */
function boundExponent({ operands, result }: Op, ranges: Map<ValueId, Interval>): void {
  const [x] = operands as [ValueId];
  const { lo, hi } = ranges.get(x)!;
  const end = Math.log(ranges.get(result)!.hi);
  const most = end > 0 ? end * queryRoom : end;
  if (most < hi && most >= lo) ranges.set(x, { lo, hi: most });
}

function extremes({ data }: Tensor): Interval {
  let [lo, hi] = [Infinity, -Infinity];
  for (const x of data) {
    lo = Math.min(lo, x);
    hi = Math.max(hi, x);
  }
  return data.length > 0 ? { lo, hi } : { lo: 0, hi: 0 };
}

/** The tighter end of each. A measured positive lower end counts only where the sign is proven. */
function meet(proof: Interval, measuredRange: Interval | undefined): Interval {
  if (!measuredRange) return proof;
  const lo =
    measuredRange.lo > 0 && proof.lo < 0 ? Math.max(proof.lo, -measuredRange.hi) : Math.max(proof.lo, measuredRange.lo);
  return { lo: Math.min(lo, proof.hi), hi: Math.max(proof.lo, Math.min(proof.hi, measuredRange.hi)) };
}

/** Bounds of a row's sum from bounds of its elements: n·max² from above. Without epsilon, which protocols add. */
function innerAttrs(op: Op, module: Module, ranges: ReadonlyMap<ValueId, Interval>, inner?: Interval): Attrs {
  const shape = module.values[op.operands[0]!]!.type.shape;
  const most = magnitude(ranges.get(op.operands[0]!)!);
  if (op.name === "attention" || op.name === "cached-attention") {
    const keys = op.operands.filter((_, index) => index === 1 || (index === 3 && op.name === "cached-attention"));
    const largest = Math.max(...keys.map((id) => magnitude(ranges.get(id)!)));
    const bound = shape.at(-1)! * most * largest * Math.abs(op.attrs.scale as number);
    return { score_bound: Math.min(bound * Math.LOG2E, inner ? Math.max(inner.hi, 1) : Infinity) };
  }
  if (op.name === "softmax") {
    // One term is exp(0) = 1, and none is larger.
    const count = shape.at(op.attrs.axis as number)!;
    return { sum_lo: Math.max(1, inner?.lo ?? 1), sum_hi: Math.min(count, inner?.hi ?? count) };
  }
  const count = shape.at(-1)!;
  const lo = inner?.lo ?? 0;
  return { sum_lo: lo, sum_hi: Math.max(lo, Math.min(count * most ** 2, inner?.hi ?? Infinity)) };
}
