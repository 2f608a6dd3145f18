import type { Interval } from "../../ir/type.ts";

/** Rounding moves a value off a bound that was proven in real numbers, by a few units and a part of its magnitude. */
const roundingUnits = 4;
export const roundingPart = 2 ** -6;

/**
 * Part of a positive lower end that rounding may take off. The protocols of 1/x, 1/√x and ln x are planned for the
 * binade of that end. Their series continue below it: a quarter lower they are off by 0.0051 of the result, and a unit
 * of an operand that small moves the result by more.
 */
const belowPart = 1 / 4;

/**
 * Bounds with what rounding may add. A ring holds every magnitude below the next power of two, so no more than that is
 * added: what is within cannot wrap. A lower end that a reciprocal, a logarithm or an inverse root takes (four units and
 * more) moves by its own rounding, not by that of the upper end: it stays where the protocols behind it are right. A
 * smaller one, as that of a sigmoid far below 0, rounds to 0.
 */
export function withRounding({ lo, hi }: Interval, scale: number): Interval {
  const unit = 2 ** -scale;
  const most = Math.max(Math.abs(lo), Math.abs(hi));
  const room = most > 0 ? 2 ** (Math.floor(Math.log2(most)) + 1) - most : 0;
  const part = Math.min(room, most * roundingPart);
  const tolerance = room > 0 ? Math.min(part + roundingUnits * unit, room) : roundingUnits * unit;
  const staysPositive = lo >= roundingUnits * unit;
  const below = staysPositive ? Math.min(lo * roundingPart + roundingUnits * unit, lo * belowPart) : tolerance;
  return { lo: lo - below, hi: hi + tolerance };
}
