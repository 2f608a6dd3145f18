import { edit, removeDead } from "../../../ir/edit.ts";
import { evaluateOp } from "../../../ir/interpret.ts";
import { type Module, opsOf, typeOf } from "../../../ir/module.ts";
import type { Tensor } from "../../../ir/weights.ts";
import { constantPrefix } from "../import-graph.ts";

export interface Folded {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** Ops on constants alone become constants; one that is an output stays, since an output is made by the program. */
export function foldConstants(module: Module, weights: ReadonlyMap<string, Tensor>): Folded {
  const known = new Map<string, Tensor>();
  for (const [id, key] of Object.entries(module.params)) {
    if (key.startsWith(constantPrefix)) known.set(id, weights.get(key)!);
  }
  const outputs = new Set(module.outputs);
  const folded = new Map<string, Tensor>();
  for (const op of opsOf(module)) {
    const operands = op.operands.map((id) => known.get(id));
    if (outputs.has(op.result) || operands.length === 0 || operands.includes(undefined)) continue;
    const value = evaluateOp(op.name, operands as Tensor[], op.attrs, typeOf(module, op.result).element);
    known.set(op.result, value);
    folded.set(op.result, value);
  }
  if (folded.size === 0) return { module: removeDead(module), weights };
  const more = new Map(weights);
  const changed = edit(module, (draft) => {
    const steps = draft.steps.map((step) => ({ ops: step.ops.filter((op) => !folded.has(op.result)) }));
    draft.steps = steps.filter((step) => step.ops.length > 0);
    for (const [id, value] of folded) {
      draft.params[id] = `${constantPrefix}${id}`;
      more.set(`${constantPrefix}${id}`, value);
    }
  });
  return { module: removeDead(changed), weights: more };
}
