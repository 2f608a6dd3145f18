import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import type { Observation } from "./calibration-types.ts";
import type { InnerRange } from "./inner-ranges.ts";

export interface WidenOptions {
  /** Factor on measured magnitudes. */
  readonly margin?: number;
  /** Factor on measured magnitudes of inputs, which no private weight changes. Default: the margin. */
  readonly inputMargin?: number;
  /**
   * Lower bound of measured magnitudes: where a surrogate of a private weight is zero, everything behind it measures as
   * zero, and the real weight would leave the ring.
   */
  readonly floor?: number;
  /**
   * The module holds expanded formulas of a system with one ring: bounds only ensure that values fit. Small values
   * inside a formula (2^−40 after squarings) vary by orders of magnitude with the weights, so no lower end is kept, the
   * margin counts twice, and the floor is `formulaFloor`.
   */
  readonly expanded?: boolean;
}

const formulaFloor = 64;
/** Of inputs, which no surrogate makes smaller. */
const inputFloor = 1;

/**
 * Widens measured ranges. Samples do not prove signs, so intervals become symmetric. An all-positive one keeps a lower
 * end where an operator needs it, in case interval analysis proves the sign. An exponent does not become symmetric: e^x
 * of [−16, 16] would need a ring that e^x of [−16, 4] does not. Its upper end gets the margin on its distance from the
 * middle, and from 0.
 */
export function widenRanges(
  module: Module,
  { values, inner, sizes }: Observation,
  { margin = 2, inputMargin = margin, floor = 1, expanded = false }: WidenOptions,
): Observation {
  // What the server computes alone, it computes with private weights: that takes the margin of values.
  const inputs = new Set(module.inputs.filter((id) => module.values[id]!.type.label !== "server"));
  for (const { name, operands, result } of opsOf(module))
    if ((name === "share" || name === "take-over") && inputs.has(operands[0]!)) inputs.add(result);
  const exponents = new Set(opsOf(module).flatMap(({ name, operands }) => (name === "exp" ? operands : [])));
  const positive = expanded ? new Set() : valuesThatStayPositive(module);
  const wide = ([id, { lo, hi }]: [ValueId, Interval]): [ValueId, Interval] => {
    const [factor, own] = inputs.has(id) ? [inputMargin, Math.min(floor, inputFloor)] : [margin, floor];
    const least = expanded ? formulaFloor : own;
    const most = Math.max(least, factor ** (expanded ? 2 : 1) * Math.max(Math.abs(lo), Math.abs(hi)));
    const above = Math.max(least, factor * hi, (lo + hi) / 2 + (factor * (hi - lo)) / 2);
    const isExponent = !expanded && exponents.has(id);
    return [
      id,
      { lo: lo > 0 && positive.has(id) ? lo / factor ** 2 : -most, hi: isExponent ? Math.min(most, above) : most },
    ];
  };
  // Scores have both signs and take the margin like a value; sums of squares take its square.
  const wideInner = ([id, { lo, hi }]: [ValueId, InnerRange]): [ValueId, InnerRange] => [
    id,
    lo < 0 ? scoreRange(Math.max(floor, margin * hi)) : { lo: lo / margin ** 2, hi: hi * margin ** 2 },
  ];
  return {
    values: new Map([...values].map(wide)),
    inner: expanded ? inner : new Map([...inner].map(wideInner)),
    ...(sizes && { sizes }),
  };
}

/** Scores are bounded on both sides alike. */
const scoreRange = (most: number): InnerRange => ({ lo: -most, hi: most });

/** Operators that have a pole or a branch point at 0, with the operand that must stay away from it. */
const poles: Readonly<Record<string, number>> = { reciprocal: 0, rsqrt: 0, sqrt: 0, log: 0, pow: 0, div: 1 };
const passesOn: ReadonlySet<string> = new Set([
  "reshape",
  "transpose",
  "slice",
  "expand",
  "share",
  "take-over",
  "truncate",
]);

/** Values that an operator needs to be away from 0. The lower end of any other value is of no use. */
export function valuesThatStayPositive(module: Module): ReadonlySet<ValueId> {
  const users = usersOf(opsOf(module));
  const needed = new Set<ValueId>();
  // From last to first, so that a value's readers are known when it is visited.
  for (const id of [...module.inputs, ...opsOf(module).map(({ result }) => result)].reverse()) {
    const isNeeded = (users.get(id) ?? []).some(({ name, operands, result }) =>
      passesOn.has(name) ? needed.has(result) : Object.hasOwn(poles, name) && operands[poles[name]!] === id,
    );
    if (isNeeded) needed.add(id);
  }
  return needed;
}
