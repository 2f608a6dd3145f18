import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { hasData, type Tensor } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import type { SplitState } from "../pass.ts";

/**
 * Rounds a private threshold as the value that it is compared with was rounded. In x·W − t > 0, the product has the
 * fractional bits of x and those of W, but only those of x carry information. A feature of a decision tree that equals
 * its threshold must equal it after rounding too: rounding is monotone, so x ≤ t holds for the rounded numbers as well.
 * Which weights these are follows from the module alone.
 */
export function alignThresholds(state: SplitState, activation: number): SplitState {
  const { module } = state;
  const neighbors = { users: usersOf(opsOf(module)), makers: producersOf(opsOf(module)) };
  const found = opsOf(module).flatMap((op) => thresholdOf(op, module, neighbors, activation) ?? []);
  if (found.length === 0) return state;
  const weights = new Map(state.weights);
  for (const { id, scale } of found) {
    const name = module.params[id]!;
    const weight = weights.get(name)!;
    const isAlone = Object.values(module.params).filter((other) => other === name).length === 1;
    if (isAlone && hasData(weight)) weights.set(name, rounded(weight, scale));
  }
  return { ...state, weights };
}

interface Neighbors {
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
  readonly makers: ReadonlyMap<ValueId, Op>;
}

/** The private param of a sum that is only compared, and the fractional bits of the activation that it meets. */
function thresholdOf(
  { name, operands, result }: Op,
  module: Module,
  { users, makers }: Neighbors,
  activation: number,
): { readonly id: ValueId; readonly scale: number } | undefined {
  if (name !== "sub" && name !== "add") return undefined;
  const id = operands.find((operand) => isPrivate(operand, module));
  const product = makers.get(operands.find((operand) => operand !== id)!);
  if (id === undefined || product === undefined || opDef(product.name).linear !== "each") return undefined;
  const isCompared = (users.get(result) ?? []).every((user) => user.name === "compare");
  if (!isCompared || module.outputs.includes(result) || users.get(id)!.length > 1) return undefined;
  const shared = product.operands.filter((operand) => module.values[operand]!.type.label === "shared");
  if (shared.length !== 1 || !product.operands.some((operand) => isPrivate(operand, module))) return undefined;
  const { element } = module.values[shared[0]!]!.type;
  // Integers are exact: a threshold between two of them must stay between them.
  return isFixed(element) && element.scale >= activation ? { id, scale: element.scale } : undefined;
}

const isPrivate = (id: ValueId, { params, values }: Module): boolean =>
  Object.hasOwn(params, id) && values[id]!.type.label === "server";

const rounded = ({ shape, data }: Tensor, scale: number): Tensor => ({
  shape,
  data: data.map((x) => Math.round(x * 2 ** scale) / 2 ** scale),
});
