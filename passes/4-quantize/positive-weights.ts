import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { hasData, type Tensor } from "../../ir/tensor.ts";
import { producersOf } from "../../ir/uses.ts";
import type { PassState } from "../pass.ts";
import { valuesThatStayPositive } from "./widen-ranges.ts";

/** Factor on the least value of a public weight: tuning makes weights smaller too. */
const room = 4;

/** Operators of one operand that keep a positive value away from 0, and sums, of which one term may do so. */
const keeping: ReadonlySet<string> = new Set([
  ...["add", "reshape", "transpose", "slice", "expand", "share", "truncate", "reduce-sum", "reduce-mean"],
]);

/**
 * Private weights that are added to what must stay away from 0, as the ε of 1 / (|x| + ε) is. Which these are follows
 * from the module alone.
 */
export function weightsThatStayPositive(module: Module): ReadonlySet<ValueId> {
  const makers = producersOf(opsOf(module));
  const found = new Set<ValueId>();
  const seen = new Set<ValueId>();
  const visit = (id: ValueId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    const op = makers.get(id);
    if (!op || !keeping.has(op.name)) return;
    for (const operand of op.operands) {
      const isWeight = Object.hasOwn(module.params, operand) && module.values[operand]!.type.label === "server";
      if (isWeight && op.name === "add") found.add(operand);
      visit(operand);
    }
  };
  for (const id of valuesThatStayPositive(module)) visit(id);
  return found;
}

export const leastElement = ({ data }: Tensor): number => data.reduce((least, x) => Math.min(least, x), Infinity);

const powerBelow = (x: number): number => 2 ** Math.floor(Math.log2(x));

/**
 * Powers of two that such weights do not fall below, from the public tensors that stand for them. None for a weight that
 * is not positive there. 4-quantize, at the provider, refuses a weight below its bound.
 */
export function publicLeast({ module, weights }: PassState): ReadonlyMap<ValueId, number> {
  return new Map(
    [...weightsThatStayPositive(module)].flatMap((id): [ValueId, number][] => {
      const weight = weights.get(module.params[id]!);
      const least = weight && hasData(weight) ? leastElement(weight) : 0;
      return least > 0 && Number.isFinite(least) ? [[id, powerBelow(least / room)]] : [];
    }),
  );
}
