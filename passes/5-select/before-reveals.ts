import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";

/** The operators that revealed values come from, from each reveal back for as long as one `passes` its operands on. */
export function opsBeforeReveals(module: Module, passes: (op: Op) => boolean): readonly Op[] {
  const makers = new Map(opsOf(module).map((op) => [op.result, op]));
  const found = new Map<ValueId, Op>();
  const waiting = opsOf(module).flatMap(({ name, operands }) => (name === "reveal" ? operands : []));
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const maker = makers.get(id);
    if (!maker || found.has(id)) continue;
    found.set(id, maker);
    if (passes(maker)) waiting.push(...maker.operands);
  }
  return [...found.values()];
}
