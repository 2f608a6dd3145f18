/**
 * The language of kernels: what one party computes for each element of a tensor, without a branch. A kernel is a list of
 * values; each is computed from values before it. There are no loops and no addresses: whoever executes a kernel walks
 * the elements.
 */

/** u32: residues of up to 32 bits. u64: up to 64 bits, low word first. f64: exact integers and public factors. */
export type Lane = "u32" | "u64" | "f64";

/** 32-bit words of an element. */
export const wordsOf = (lane: Lane): 1 | 2 => (lane === "u32" ? 1 : 2);

/**
 * The operators, by the lanes that they take and what they give: "same" is the lane of the operands. Sums, differences
 * and products of u32 and u64 are mod 2^32 and 2^64.
 */
export const operators = {
  add: { operands: 2, lanes: ["u32", "u64", "f64"], result: "same" },
  sub: { operands: 2, lanes: ["u32", "u64", "f64"], result: "same" },
  mul: { operands: 2, lanes: ["u32", "u64", "f64"], result: "same" },
  and: { operands: 2, lanes: ["u32", "u64"], result: "same" },
  or: { operands: 2, lanes: ["u32", "u64"], result: "same" },
  xor: { operands: 2, lanes: ["u32", "u64"], result: "same" },
  /** Shifts by a number that the kernel knows: left, right with zeros, right with copies of the top bit. */
  shl: { operands: 1, lanes: ["u32", "u64"], result: "same", by: true },
  shr: { operands: 1, lanes: ["u32", "u64"], result: "same", by: true },
  sar: { operands: 1, lanes: ["u32", "u64"], result: "same", by: true },
  /** 2^x of a u32 below 32. */
  power: { operands: 1, lanes: ["u32"], result: "u32" },
  /** The same number in 64 bits, and the low word of one. */
  widen: { operands: 1, lanes: ["u32"], result: "u64" },
  low: { operands: 1, lanes: ["u64"], result: "u32" },
  /** A u32 as a double, the largest integer that is not above one, and an integer |x| < 2^51 mod 2^64. */
  float: { operands: 1, lanes: ["u32"], result: "f64" },
  floor: { operands: 1, lanes: ["f64"], result: "f64" },
  integer: { operands: 1, lanes: ["f64"], result: "u64" },
  /** The double that has these bits. */
  double: { operands: 1, lanes: ["u64"], result: "f64" },
} as const satisfies Record<string, Operator>;

interface Operator {
  readonly operands: 1 | 2;
  readonly lanes: readonly Lane[];
  readonly result: Lane | "same";
  readonly by?: true;
}

export type OperatorName = keyof typeof operators;

/** The next element of an input; or its only element, the same for all. */
export interface InputValue {
  readonly kind: "each" | "one";
  readonly lane: Lane;
  readonly index: number;
}

/** A public number, by its words; of a double, its bits. */
export interface ConstantValue {
  readonly kind: "constant";
  readonly lane: Lane;
  readonly low: number;
  readonly high: number;
}

export interface OperatorValue {
  readonly kind: "operator";
  readonly lane: Lane;
  readonly name: OperatorName;
  /** Indices of values before it. */
  readonly args: readonly number[];
  /** The count of a shift; 0 elsewhere. */
  readonly by: number;
}

export type Value = InputValue | ConstantValue | OperatorValue;

export interface Kernel {
  readonly values: readonly Value[];
  /** Indices of the values that leave it, one for each output. */
  readonly outputs: readonly number[];
}

const isInput = (value: Value): value is InputValue => value.kind === "each" || value.kind === "one";

/** The inputs in the order of their indices: their lanes, and whether there is an element for each or one for all. */
export const inputsOf = ({ values }: Kernel): readonly InputValue[] =>
  values.filter(isInput).sort((a, b) => a.index - b.index);

/** The lane of each output. */
export const outputLanes = ({ values, outputs }: Kernel): readonly Lane[] =>
  outputs.map((index) => values[index]!.lane);
