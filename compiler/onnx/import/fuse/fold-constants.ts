import { edit, removeDead } from "../../../../ir/edit.ts";
import { infer } from "../../../../ir/infer.ts";
import { evaluateOp } from "../../../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { constantPrefix } from "../graph/index.ts";

export interface FoldedModule {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** 0 · x = 0: every value is finite in fixed point. Recurrent networks begin with a state of zeros. */
const products: ReadonlySet<string> = new Set(["mul", "matmul", "conv"]);
const isZero = (tensor: Tensor | undefined): boolean => tensor?.data.every((value) => value === 0) ?? false;

/** The result of an op when it does not depend on its other operands; else undefined. */
function constantOf(module: Module, op: Op, operands: readonly (Tensor | undefined)[]): Tensor | undefined {
  const { element, shape } = typeOf(module, op.result);
  if (!operands.includes(undefined)) return evaluateOp(op.name, operands as Tensor[], op.attrs, element);
  return products.has(op.name) && operands.some(isZero) ? { shape, data: new Float64Array(sizeOf(shape)) } : undefined;
}

/**
 * Replaces ops on constants alone, and products with zeros, by constants. An output stays, since the program computes
 * it.
 */
export function foldModuleConstants(module: Module, weights: ReadonlyMap<string, Tensor>): FoldedModule {
  const known = new Map<string, Tensor>();
  for (const [id, key] of Object.entries(module.params)) {
    if (key.startsWith(constantPrefix)) known.set(id, weights.get(key)!);
  }
  const outputs = new Set(module.outputs);
  const folded = new Map<string, Tensor>();
  for (const op of opsOf(module)) {
    const operands = op.operands.map((id) => known.get(id));
    if (outputs.has(op.result) || operands.length === 0) continue;
    const value = constantOf(module, op, operands);
    if (!value) continue;
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
      // Who knows the graph knows it, whoever has the other factor of a product with zeros.
      draft.values[id] = { ...draft.values[id]!, type: { ...draft.values[id]!.type, label: "public" } };
      more.set(`${constantPrefix}${id}`, value);
    }
  });
  return { module: removeDead(infer(changed)), weights: more };
}
