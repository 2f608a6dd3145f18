import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { usersOf } from "../../ir/uses.ts";

/** The readers of each value of a module, before a rewrite. */
export interface ReadGraph {
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
  readonly outputs: ReadonlySet<ValueId>;
  readonly rank: (id: ValueId) => number;
}

export const readGraphOf = (module: Module): ReadGraph => ({
  users: usersOf(opsOf(module)),
  outputs: new Set(module.outputs),
  rank: (id) => module.values[id]!.type.shape.length,
});

/** Whether only softmaxes over the last axis read a value, directly or through sums, selections and concatenations. */
export function isReadAsScores(id: ValueId, graph: ReadGraph): boolean {
  const readers = graph.users.get(id) ?? [];
  const last = graph.rank(id) - 1;
  return (
    readers.length > 0 &&
    !graph.outputs.has(id) &&
    readers.every((op) => {
      if (op.name === "softmax") return op.attrs.axis === -1 || op.attrs.axis === last;
      const goesOn = op.name === "add" || op.name === "concat" || (op.name === "where" && op.operands[0] !== id);
      return goesOn && graph.rank(op.result) === last + 1 && isReadAsScores(op.result, graph);
    })
  );
}
