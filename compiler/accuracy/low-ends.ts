import mapValues from "lodash-es/mapValues.js";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { isBit, isFixed } from "../../ir/type.ts";
import { type Observation, withRounding } from "../../passes/4-quantize/index.ts";

/** How far f(x) moves at most where a small positive x moves by e. */
type Sensitivity = (x: number, e: number) => number;

/** Functions that are steep near 0, by their operators. A root moves by √e at most, at 0 too. */
const sensitivities: Readonly<Record<string, Sensitivity>> = {
  log: (x, e) => e / x,
  reciprocal: (x, e) => e / x ** 2,
  rsqrt: (x, e) => e / (2 * x ** 1.5),
  sqrt: (x, e) => Math.min(Math.sqrt(e), e / (2 * Math.sqrt(x))),
};

/**
 * Errors of steep functions at the low end of their operand, where a unit of it is much of the result. Other runs than
 * the one at hand come nearer to that end.
 */
export interface LowEnds {
  /** Keeps a value of the run without errors. */
  readonly keep: (id: ValueId, raw: Tensor) => void;
  /** The same value with errors, but no operand below its low end, where a function has no value. */
  readonly admit: (id: ValueId, raw: Tensor) => Tensor;
  /**
   * How far an operand's error moves a result of the op, in its units. With the observation of a run: one unit at its
   * smallest operand; the run itself passes larger errors on. Without one: at the low end of the public bounds, by the
   * error that the operand has shown.
   */
  readonly unitsOf: (op: Op, seen: Observation | undefined) => number;
}

interface SteepOperand {
  readonly unit: number;
  /** The low end of its public bounds, at least a unit. */
  readonly least: number;
}

export function createLowEnds(module: Module): LowEnds {
  const operands = new Map<ValueId, SteepOperand>();
  for (const op of opsOf(module)) {
    const [id] = op.operands;
    if (!Object.hasOwn(sensitivities, op.name) || op.protocol === undefined || id === undefined) continue;
    const { range, type } = module.values[id]!;
    if (!range || !isFixed(type.element)) continue;
    const unit = 2 ** -type.element.scale;
    operands.set(id, { unit, least: Math.max(withRounding(range, type.element.scale).lo, unit) });
  }
  const kept = new Map<ValueId, Tensor>();
  const errors = new Map<ValueId, number>();
  return {
    keep: (id, raw) => {
      if (operands.has(id)) kept.set(id, raw);
    },
    admit: (id, raw) => {
      const [exact, operand] = [kept.get(id), operands.get(id)];
      if (!exact || !operand) return raw;
      const least = Math.ceil(operand.least / operand.unit);
      const data = raw.data.map((x, k) => Math.max(x, Math.min(least, exact.data[k]!)));
      const most = data.reduce((worst, x, k) => Math.max(worst, Math.abs(x - exact.data[k]!)), 0);
      errors.set(id, Math.max(errors.get(id) ?? 0, most));
      return { shape: raw.shape, data };
    },
    unitsOf: ({ name, operands: [id = ""], result }, seen) => {
      const operand = operands.get(id);
      const { element } = typeOf(module, result);
      if (!operand || !Object.hasOwn(sensitivities, name) || !isFixed(element)) return 0;
      const { unit } = operand;
      const least = Math.max(seen?.values.get(id)?.lo ?? operand.least, unit);
      const units = seen ? 1 : Math.max(1, errors.get(id) ?? 0);
      // A result within its bounds is no farther off than they are apart.
      const { lo, hi } = module.values[result]!.range ?? { lo: -Infinity, hi: Infinity };
      return Math.min(sensitivities[name]!(least, units * unit), hi - lo) * 2 ** element.scale;
    },
  };
}

/** The module in rings that no error leaves. */
export const withRoom = (module: Module): Module => ({
  ...module,
  values: mapValues(module.values, (value) => {
    const { element } = value.type;
    if (!isFixed(element) || isBit(element)) return value;
    return { ...value, type: { ...value.type, element: { ...element, width: 64 } } };
  }),
});
