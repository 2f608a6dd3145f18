import type { Finding } from "./finding.ts";
import type { ParsedModule, ParsedType } from "./parse-mir.ts";

/** Operators whose result has the numbers of their first operand: in another form, ring or order, or rounded. */
const sameNumbers: ReadonlySet<string> = new Set([
  ...["share", "take-over", "open", "reveal", "truncate", "extend", "narrow", "lift", "cast"],
  ...["reshape", "transpose", "expand"],
]);

/**
 * Checks what determines declared ranges: every range fits its ring, a range check's with its headroom, and numbers that
 * only move keep their range. That a range is the one that calibration found, nothing in a build tells.
 */
export function checkDeclaredRanges({ inputs, params, steps }: ParsedModule, file: string): readonly Finding[] {
  const types = new Map<string, ParsedType>(inputs);
  const messages: string[] = [];
  const checkFit = (id: string, type: ParsedType): void => {
    const [lo, hi] = type.range ?? [0, 0];
    if (lo > hi) messages.push(`${id} has a range that holds nothing`);
    else if (!fitsRing(type)) messages.push(`${id} has a range that its ring does not hold`);
  };
  for (const [id, type] of inputs) checkFit(id, type);
  for (const [id, { type }] of params) checkFit(id, type);
  for (const { result, operator, operands, attrs, type } of steps.flat()) {
    types.set(result, type);
    const operand = types.get(operands[0] ?? "");
    checkFit(result, type);
    if (operator === "outside" && operand && !fitsRing(operand, Number(attrs.headroom) + 1))
      messages.push(`${operands[0]} has a range that its ring does not hold with the headroom of ${result}`);
    if (sameNumbers.has(operator) && operand?.range && type.range && operand.range.join() !== type.range.join())
      messages.push(`${result} is ${operands[0]} and has another range`);
  }
  return messages.map((message) => ({ code: "MRL0907", message, at: file }));
}

/** Whether signed numbers of 2^headroom times the range have a place in the ring. */
function fitsRing({ element, range }: ParsedType, headroom = 0): boolean {
  const ring = /^fx(\d+)\.(-?\d+)$/.exec(element);
  if (!ring || !range) return true;
  const largest = Math.max(-range[0], range[1]) * 2 ** (Number(ring[2]) + headroom);
  return largest <= 2 ** (Number(ring[1]) - 1);
}
