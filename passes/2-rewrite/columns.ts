import { evaluateOp } from "../../ir/interpret.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Draft } from "./draft.ts";

/** One value that replaces several, and the columns of its last axis that each of them is. */
export interface JoinedColumns {
  readonly whole: ValueId;
  readonly ranges: ReadonlyMap<ValueId, readonly [number, number]>;
}

/** Values by name and number of columns, concatenated in `whole`. */
export function joinColumns(whole: ValueId, parts: readonly (readonly [ValueId, number])[]): JoinedColumns {
  const ranges = new Map<ValueId, readonly [number, number]>();
  let from = 0;
  for (const [id, columns] of parts) {
    ranges.set(id, [from, from + columns]);
    from += columns;
  }
  return { whole, ranges };
}

/** Replacement of one of the values: its columns, or the whole if it is the only one. */
export function columnsOf(draft: Draft, { whole, ranges }: JoinedColumns, id: ValueId): ValueId {
  const [from, to] = ranges.get(id)!;
  const { shape } = draft.type(whole);
  if (from === 0 && to === shape.at(-1)) return whole;
  const steps = shape.map(() => 1);
  const attrs = { starts: shape.map(() => 0).with(-1, from), ends: [...shape].with(-1, to), steps };
  return draft.emit("slice", [whole], attrs, `${id}.part`);
}

/** Concatenates private matrices along their columns: [U | V | …]. */
export function concatColumns(draft: Draft, matrices: readonly ValueId[]): ValueId {
  const [only] = matrices;
  if (matrices.length === 1) return only!;
  const value = evaluateOp("concat", matrices.map(draft.weight), { axis: 1 });
  return draft.param(matrices.map(draft.weightName).join("|"), value, "server");
}
