import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { hasData, type WeightStore } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";

/** Operators whose result is an integer where their operands are. */
const keeping: ReadonlySet<string> = new Set([
  ...["add", "sub", "mul", "neg", "abs", "square", "matmul", "relu", "maximum", "minimum", "reduce-sum", "reduce-max"],
  ...["reduce-min", "cumsum", "reshape", "transpose", "slice", "concat", "expand", "gather", "where", "share", "cast"],
  ...["select-by-rank", "take-over", "one-hot", "sign", "floor", "ceil"],
  ...["open", "extend", "narrow", "hand-over", "truncate"],
]);

/**
 * Whether a value of reals has no fractional part, from public facts alone. `integers`: inputs that hold integers. A
 * cast to integers is exact on such a value; of any other it would need a protocol that rounds toward zero.
 */
export function integralValues(
  module: Module,
  weights: WeightStore,
  integers: ReadonlySet<ValueId>,
): (id: ValueId) => boolean {
  const makers = producersOf(opsOf(module));
  const known = new Map<ValueId, boolean>();
  const found = (id: ValueId): boolean => {
    const { element, label } = typeOf(module, id);
    if (element.kind === "i64" || element.kind === "bool" || integers.has(id)) return true;
    if (isFixed(element) && element.scale === 0) return true;
    const weight = Object.hasOwn(module.params, id) && label === "public" ? weights.get(module.params[id]!) : undefined;
    if (weight && hasData(weight)) return weight.data.every(Number.isInteger);
    const op = makers.get(id);
    if (!op || !keeping.has(op.name)) return false;
    const { selectors = [] } = opDef(op.name);
    return op.operands.every((operand, index) => selectors.includes(index) || isIntegral(operand));
  };
  const isIntegral = (id: ValueId): boolean => {
    if (!known.has(id)) known.set(id, found(id));
    return known.get(id)!;
  };
  return isIntegral;
}
