import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision, ScaleRule } from "../../ir/ops/define.ts";
import { bitsBelowUnit } from "../../ir/ops/helpers/scales.ts";
import { opDef } from "../../ir/registry.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import type { Calibration } from "./calibration-types.ts";
import { comparedValues } from "./compared-values.ts";

/**
 * Inputs that a party computed for their factor alone, as 1 / Σ m. A small one would lose its significant bits at the
 * scale of activations, so it enters products with twice their fractional bits, less those that its magnitude needs.
 * Products of which sums go into roots keep all their bits: √v has half of those of v near 0. What only comparisons
 * learn of, as the features of trees, has the bits that its smallest feature needs: a comparison is as fine as they are.
 */
export interface FineInputs {
  /** Fractional bits of an input, if it is fine. */
  readonly scaleOf: (input: ValueId) => number | undefined;
  /** The same for a table of private thresholds. */
  readonly scaleOfThreshold: (param: ValueId) => number | undefined;
  /** The rule of a product in which fine inputs, and what goes into roots, keep their bits. */
  readonly ruleOf: (op: Op, rule: ScaleRule, at: readonly (number | undefined)[]) => ScaleRule;
}

const moves: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand"]);

export function createFineInputs(
  module: Module,
  fine: ReadonlySet<ValueId>,
  { ranges, sizes }: Calibration,
  { activation, fine: followsValues }: Precision,
): FineInputs {
  const makers = producersOf(opsOf(module));
  const isFine = (id: ValueId): boolean => {
    const op = makers.get(id);
    if (!op) return false;
    return moves.has(op.name) ? isFine(op.operands[0]!) : op.name === "share" && fine.has(op.operands[0]!);
  };
  const users = usersOf(opsOf(module));
  const { decides, thresholds, inputsOf } = comparedValues(module);
  const comparedScale = (input: ValueId): number | undefined => {
    const size = followsValues ? sizes?.get(input) : undefined;
    return size === undefined || bitsBelowUnit(size) === 0 ? undefined : activation + bitsBelowUnit(size);
  };
  const isUnderRoot = (id: ValueId): boolean => {
    const readers = users.get(id) ?? [];
    return (
      readers.length > 0 &&
      readers.every(({ name, result }) => name === "sqrt" || (opDef(name).linear === "joint" && isUnderRoot(result)))
    );
  };
  const comparedScaleOf = (id: ValueId): number =>
    Math.max(0, ...inputsOf(id).map((input) => comparedScale(input) ?? 0));
  return {
    scaleOf: (input) => {
      if (!fine.has(input)) return comparedScale(input);
      const { lo, hi } = ranges.get(input)!;
      return Math.max(activation, 2 * activation - Math.ceil(Math.log2(Math.max(1, -lo, hi))));
    },
    scaleOfThreshold: (param) => {
      const scales = (thresholds.get(param) ?? []).map(comparedScaleOf);
      return Math.max(0, ...scales) || undefined;
    },
    ruleOf: (op, rule, at) => {
      const known = at.filter((scale) => scale !== undefined);
      if (opDef(op.name).linear === "each" && known.length === 1 && decides(op.result)) {
        const operands = rule.operands.map((scale, index) =>
          Math.max(scale, Math.min(at[index] ?? 0, comparedScaleOf(op.operands[index]!))),
        );
        return { operands, result: rule.result + Math.max(...operands.map((scale, k) => scale - rule.operands[k]!)) };
      }
      if (op.name !== "mul") return rule;
      const isProductOfSecrets = at.every((scale) => scale !== undefined);
      if (isProductOfSecrets && isUnderRoot(op.result))
        return { ...rule, result: rule.operands.reduce((sum, scale) => sum + scale, 0) };
      if (fine.size === 0 || !op.operands.some(isFine)) return rule;
      const operands = rule.operands.map((scale, index) => (isFine(op.operands[index]!) ? at[index]! : scale));
      // A product of secrets is truncated by its protocol; one with a weight has the bits of both.
      const more = operands.reduce((sum, scale, index) => sum + scale - rule.operands[index]!, 0);
      return { operands, result: rule.result + (isProductOfSecrets ? 0 : more) };
    },
  };
}
