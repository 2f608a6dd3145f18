import { bit, bool, type Element, isFixed } from "../../type.ts";

/** Element of a truth value: a bit as soon as something secret decides it. */
export const booleanElement = (operands: readonly Element[]): Element => (operands.some(isFixed) ? bit : bool);
