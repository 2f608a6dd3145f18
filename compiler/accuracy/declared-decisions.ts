import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import { usersOf } from "../../ir/uses.ts";
import { isDecision } from "./decisions.ts";
import { createSeams } from "./seams.ts";
import { twoDigits } from "./two-digits.ts";

/** Where errors may lead to another decision, and so to another answer, which no error of an output includes. */
export interface DeclaredDecision {
  /** The result of the operator that decides. */
  readonly value: ValueId;
  /** Its name, and its node. */
  readonly operator: string;
  readonly at: string;
  /** Operands that are at most this near to each other, or to an integer, may go either way. */
  readonly distance: number;
  /** Outputs that depend on it, and how far each may then be from the real answer: the width of its public bounds. */
  readonly outputs: readonly { readonly value: ValueId; readonly differs: number }[];
  /** The distance follows from private weights, and the provider publishes it. */
  readonly published?: true;
}

/** Decisions whose outcome makes a difference, in program order. Which these are follows from public facts alone. */
export function decisionsOf(module: Module, publicWeights: WeightStore): readonly Omit<DeclaredDecision, "distance">[] {
  const ops = opsOf(module);
  const found = ops.filter(isDecision);
  if (found.length === 0) return [];
  const jumpsOf = createSeams(module, publicWeights);
  const users = usersOf(ops);
  const reached = (ids: readonly ValueId[]): ReadonlySet<ValueId> => {
    const all = new Set<ValueId>(ids);
    for (const id of all) for (const { result } of users.get(id) ?? []) all.add(result);
    return all;
  };
  return found
    .map((op) => {
      const { result, name, origin } = op;
      const all = reached(jumpsOf(op));
      const outputs = module.outputs
        .filter((id) => all.has(id))
        .map((value) => ({ value, differs: widthOf(module, value) }));
      return { value: result, operator: name, at: origin || `%${result}`, outputs };
    })
    .filter(({ outputs }) => outputs.length > 0);
}

function widthOf({ values }: Module, id: ValueId): number {
  const { range } = values[id]!;
  return range ? twoDigits(range.hi - range.lo) : Infinity;
}

/** The section of the manifest, by the names of tensors. */
export function decisionsByTensor(
  outputs: readonly { readonly value: ValueId; readonly tensor: string }[],
  decisions: readonly DeclaredDecision[],
) {
  const named = decisions.flatMap((decision) => {
    const known = decision.outputs.flatMap(({ value, differs }) =>
      [...new Set(outputs.filter((output) => output.value === value).map(({ tensor }) => tensor))].map((tensor) => ({
        tensor,
        differs,
      })),
    );
    return known.length > 0 ? [{ ...decision, outputs: known }] : [];
  });
  return named.length > 0 ? { decisions: named } : {};
}
