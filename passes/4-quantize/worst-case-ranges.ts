import { evaluateOp } from "../../ir/interpret.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { type Interval, sizeOf } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import { createPublication, keepsMagnitude, type PublishedRanges, valuesOfPrivateWeights } from "./publish-ranges.ts";

const magnitude = ({ lo, hi }: Interval): number => Math.max(Math.abs(lo), Math.abs(hi));

/**
 * Ranges that no input within its bounds leaves, whatever it is: a product with private weights is bounded by the sums
 * of their magnitudes, anything else by the op tables. Each bound is rounded outwards to a power of two, published, and
 * what follows is bounded from the published one. `open` has the bounds of values that no private weight reaches, and
 * those that the user gave.
 */
export function publishWorstCase(
  { module, weights }: PassState,
  open: ReadonlyMap<ValueId, Interval>,
  given: ReadonlySet<ValueId>,
): PublishedRanges {
  const hidden = valuesOfPrivateWeights(module);
  const { publish, published } = createPublication();
  const ranges = new Map<ValueId, Interval>();
  const values = new Map<ValueId, Interval>();
  for (const id of module.inputs) ranges.set(id, open.get(id)!);
  for (const [id, name] of Object.entries(module.params)) ranges.set(id, extremes(weights.get(name)!));
  const weightOf = (id: ValueId): Tensor | undefined =>
    module.params[id] === undefined ? undefined : weights.get(module.params[id]);
  for (const op of opsOf(module)) {
    const id = op.result;
    const shapes = op.operands.map((operand) => module.values[operand]!.type.shape);
    const operands = op.operands.map((operand) => ranges.get(operand)!);
    const proof = resultRange(opDef(op.name), operands, op.attrs, shapes);
    const known = hidden.has(id) && !given.has(id) ? undefined : open.get(id);
    if (known) ranges.set(id, known);
    else if (!hidden.has(id) || keepsMagnitude(op, module)) ranges.set(id, proof);
    else {
      const products = isProduct(op) ? largestProduct(op, operands, weightOf, shapes) : Infinity;
      const most = publish(id, "magnitude", Math.max(1, Math.min(magnitude(proof), products)));
      values.set(id, { lo: -most, hi: most });
      ranges.set(id, { lo: Math.max(proof.lo, -most), hi: Math.min(proof.hi, most) });
    }
  }
  return { observation: { values, inner: new Map() }, published };
}

const isProduct = ({ name }: Op): boolean => name === "matmul" || name === "conv" || name === "low-rank";

/** The largest sum of products of magnitudes, where every activation is as large as it can be. */
function largestProduct(
  op: Op,
  ranges: readonly Interval[],
  weightOf: (id: ValueId) => Tensor | undefined,
  shapes: readonly (readonly number[])[],
): number {
  if (!ranges.every((range) => Number.isFinite(magnitude(range)))) return Infinity;
  const operands = op.operands.map((id, index): Tensor => {
    const weight = weightOf(id);
    if (weight) return tensor(weight.shape, weight.data.map(Math.abs));
    const shape = shapes[index]!;
    return tensor(shape, new Float64Array(sizeOf(shape)).fill(magnitude(ranges[index]!)));
  });
  return evaluateOp(op.name, operands, op.attrs).data.reduce((most, x) => Math.max(most, x), 0);
}

function extremes({ data }: Tensor): Interval {
  return { lo: data.reduce((a, b) => Math.min(a, b), 0), hi: data.reduce((a, b) => Math.max(a, b), 0) };
}
