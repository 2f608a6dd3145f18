import type { Module, Op, Value, ValueId } from "../ir/module.ts";

/** `%d = matmul %h, %w`, as diagnostics show an op. */
export const formatOp = (op: Op): string =>
  `%${op.result} = ${op.name} ${op.operands.map((id) => `%${id}`).join(", ")}`;

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

/** The module with these ops, each a step of its own, without unused params and values. Inputs stay. */
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

/** x < y is y > x: the kind of a comparison whose operands change places. */
export const mirroredComparison: Readonly<Record<string, string>> = {
  equal: "equal",
  less: "greater",
  "less-or-equal": "greater-or-equal",
  greater: "less",
  "greater-or-equal": "less-or-equal",
};
