import type { Op, ValueId } from "./module.ts";

/** The op that makes each value; inputs and parameters have none. */
export function producersOf(ops: readonly Op[]): ReadonlyMap<ValueId, Op> {
  return new Map(ops.map((op) => [op.result, op]));
}

/** The ops that read each value, each once, in program order. */
export function usersOf(ops: readonly Op[]): ReadonlyMap<ValueId, readonly Op[]> {
  const users = new Map<ValueId, Op[]>();
  for (const op of ops) {
    for (const id of new Set(op.operands)) {
      const known = users.get(id);
      if (known) known.push(op);
      else users.set(id, [op]);
    }
  }
  return users;
}
