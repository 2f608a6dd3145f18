import { interpret, interpretRaw } from "../../ir/interpret.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { holdDecisions, isDecision } from "./decisions.ts";
import { undecidedElements } from "./undecided.ts";

/** Half a unit of single precision, as a part of a number. */
const roundingPart = 2 ** -24;

/**
 * How far decisions may move each element of an output, if another order of operations in single precision leads to
 * them: the operands of a decision may be `room` times as far from float64 as our own rounding brings them.
 */
export function undecidedInSingle(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<ValueId, Tensor>,
  room: number,
): ReadonlyMap<ValueId, Float64Array> {
  const decisions = holdDecisions(module);
  const largest = new Map<ValueId, number>();
  interpret(module, weights, inputs, {
    observe: (id, { data }, raw) => {
      decisions.keep(id, raw);
      largest.set(
        id,
        data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0),
      );
    },
  });
  interpretRaw(module, weights, inputs, { float32: true, adjust: decisions.run(room) });
  const ops = opsOf(module);
  const computed = new Set(ops.map(({ result }) => result));
  // Our sum may be exact where another order of its terms rounds.
  const least = (operands: readonly ValueId[]): number =>
    operands
      .filter((id) => computed.has(id) && typeOf(module, id).element.kind === "f32")
      .reduce((most, id) => Math.max(most, room * roundingPart * largest.get(id)!), 0);
  const distances = new Map(
    ops
      .filter(isDecision)
      .map((op) => [op.result, Math.max(decisions.distances.get(op.result) ?? 0, least(op.operands))]),
  );
  return undecidedElements(module, weights, inputs, distances);
}
