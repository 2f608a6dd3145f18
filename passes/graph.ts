import type { Module, Op, Value, ValueId } from "../ir/module.ts";

export function producersOf(ops: readonly Op[]): ReadonlyMap<ValueId, Op> {
  return new Map(ops.map((op) => [op.result, op]));
}

/** Ops that read a value, in program order; an op that reads it twice is listed once. */
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

/** `%d = matmul %h, %w`, as diagnostics show an op. */
export const showOp = (op: Op): string => `%${op.result} = ${op.name} ${op.operands.map((id) => `%${id}`).join(", ")}`;

/** Ops that these values depend on, in program order. */
export function liveOps(ops: readonly Op[], wanted: Iterable<ValueId>): readonly Op[] {
  const live = new Set(wanted);
  const kept = ops.toReversed().filter((op) => {
    if (!live.has(op.result)) return false;
    for (const id of op.operands) live.add(id);
    return true;
  });
  return kept.toReversed();
}

/** The module with these ops, each a step of its own, without the params and values that nothing uses. Inputs stay. */
export function withOps(
  module: Module,
  ops: readonly Op[],
  changed: Partial<Pick<Module, "values" | "outputs" | "params" | "inputs">> = {},
): Module {
  const next = { ...module, ...changed };
  const live = liveOps(ops, next.outputs);
  const used = new Set([...next.inputs, ...next.outputs, ...live.flatMap((op) => [op.result, ...op.operands])]);
  const keep = <T>(all: Readonly<Record<ValueId, T>>): Record<ValueId, T> =>
    Object.fromEntries(Object.entries(all).filter(([id]) => used.has(id)));
  return {
    ...next,
    params: keep(next.params),
    steps: live.map((op) => ({ ops: [op] })),
    values: keep<Value>(next.values),
  };
}
