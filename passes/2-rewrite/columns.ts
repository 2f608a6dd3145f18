import { evaluateOp } from "../../ir/interpret.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Draft } from "./draft.ts";

/** Columns `from` to `to` of the last axis; all of them are the value itself. */
export function columnsOf(draft: Draft, id: ValueId, from: number, to: number, result: ValueId): ValueId {
  const { shape } = draft.type(id);
  if (from === 0 && to === shape.at(-1)) return id;
  const steps = shape.map(() => 1);
  const attrs = { starts: shape.map(() => 0).with(-1, from), ends: [...shape].with(-1, to), steps };
  return draft.emit("slice", [id], attrs, result);
}

/** Matrices of the server's next to each other, as one: [U | V | …]. */
export function sideBySide(draft: Draft, matrices: readonly ValueId[]): ValueId {
  const [only] = matrices;
  if (matrices.length === 1) return only!;
  const value = evaluateOp("concat", matrices.map(draft.weight), { axis: 1 });
  return draft.param(matrices.map(draft.weightName).join("|"), value, "server");
}
