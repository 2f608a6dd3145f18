import type { Op } from "../../ir/module.ts";
import type { Spec } from "../../runtime/protocols/kit/index.ts";

/** Operators that exist for positive operands alone; the least one has two bits in fixed point. */
const positive: ReadonlySet<string> = new Set(["log", "reciprocal", "rsqrt"]);
/** e^8 < 2^12, the most that e^x may reach. */
const largestExponent = 8;

const narrower =
  "calibrate on more representative public inputs (--calibrate), or lower the fractional bits: --precision activation=10";

/** What makes the protocol of a refused op compute it. */
export function refusalHelp({ name }: Op, { operands: [x] }: Spec): string {
  if (positive.has(name) && x && !(x.lo * 2 ** x.scale >= 4)) {
    const least = 2 ** (2 - x.scale);
    return `keep its operand at or above ${least} in the model, with Clip or Max, or with Add where it is never negative`;
  }
  if (name === "exp" && x && x.hi > largestExponent)
    return `keep its operand at or below ${largestExponent} in the model, with Clip or Min, or subtract its maximum before`;
  return narrower;
}
