/** Maxima, minima and bounds by relu, for systems without protocols of their own for them. */
import type { Op, ValueId } from "../../ir/module.ts";
import type { FormulaBuilder } from "./formula-builder.ts";
import type { Expansion } from "./preset.ts";

const both = (op: Op): readonly [ValueId, ValueId] => op.operands as [ValueId, ValueId];

/** max(x, y) = y + relu(x − y) */
export const maximumByRelu: Expansion = (op, maths) => {
  const [x, y] = both(op);
  return maths.add(y, maths.relu(maths.sub(x, y)));
};

/** min(x, y) = y − relu(y − x), clip(x) = min(max(x, lo), hi), |x| = 2·relu(x) − x */
export const orderByRelu = {
  minimum: (op, maths) => {
    const [x, y] = both(op);
    return maths.sub(y, maths.relu(maths.sub(y, x)));
  },
  clip: (op, maths) => {
    const { lo, hi } = op.attrs as { lo: number; hi: number };
    return bounded(maths, "minimum", bounded(maths, "maximum", op.operands[0]!, lo), hi);
  },
  abs: (op, maths) => maths.sub(maths.scale(maths.relu(op.operands[0]!), 2), op.operands[0]!),
} as const satisfies Record<string, Expansion>;

const bounded = (maths: FormulaBuilder, name: "minimum" | "maximum", x: ValueId, bound: number): ValueId =>
  Number.isFinite(bound) ? maths.emit(name, [x, maths.constant(bound)]) : x;
