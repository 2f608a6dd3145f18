import { bit, bool, type Element, isFixed } from "../../type.ts";

/** Element of a boolean result: a secret bit if any operand is in fixed point. */
export const booleanElement = (operands: readonly Element[]): Element => (operands.some(isFixed) ? bit : bool);
