import { foldConstants } from "./interpret.ts";
import { type ConstantValue, type Kernel, type Lane, type OperatorName, operators, type Value } from "./language.ts";

/** A value of the kernel that is being built. */
export interface Term {
  readonly index: number;
  readonly lane: Lane;
  /** Bits at and above this one are zero; 32 or 64 where nothing is known, and for doubles. */
  readonly bits: number;
}

/** Builds a kernel. Equal values are one, constants are folded, and masks that change nothing are left out. */
export interface Builder {
  /** The next input: an element for each, or one for all; its bits from `bits` on are zero. */
  input(kind: "each" | "one", lane: Lane, bits: number): Term;
  /** A public number by its words; of a u32 the low one. */
  words(lane: Lane, low: number, high: number): Term;
  /** A public integer mod 2^32 or 2^64, |n| < 2^53. */
  constant(lane: "u32" | "u64", n: number): Term;
  /** A public double. */
  real(n: number): Term;
  add(a: Term, b: Term): Term;
  sub(a: Term, b: Term): Term;
  mul(a: Term, b: Term): Term;
  and(a: Term, b: Term): Term;
  or(a: Term, b: Term): Term;
  xor(a: Term, b: Term): Term;
  shl(a: Term, by: number): Term;
  shr(a: Term, by: number): Term;
  sar(a: Term, by: number): Term;
  power(a: Term): Term;
  widen(a: Term): Term;
  low(a: Term): Term;
  float(a: Term): Term;
  floor(a: Term): Term;
  integer(a: Term): Term;
  double(a: Term): Term;
  /** a mod 2^width. */
  mask(a: Term, width: number): Term;
  /** A term with the same lowest `width` bits, of which fewer are masked: for operators that look at no other bits. */
  loose(a: Term, width: number): Term;
  /** The kernel that gives these, without values that none of them needs. */
  finish(outputs: readonly Term[]): Kernel;
}

export function kernelBuilder(): Builder {
  const values: Value[] = [];
  const terms: Term[] = [];
  const known = new Map<string, Term>();
  let inputs = 0;

  const place = (value: Value, bits: number): Term => {
    const term = { index: values.length, lane: value.lane, bits: Math.min(bits, topOf(value.lane)) };
    values.push(value);
    terms.push(term);
    return term;
  };
  const once = (key: string, make: () => Term): Term => {
    const found = known.get(key) ?? make();
    known.set(key, found);
    return found;
  };
  const words = (lane: Lane, low: number, high: number): Term =>
    once(`${lane} ${low >>> 0} ${high >>> 0}`, () =>
      place({ kind: "constant", lane, low: low >>> 0, high: high >>> 0 }, lane === "f64" ? 64 : bitLength(low, high)),
    );
  const constantOf = (a: Term): ConstantValue | undefined => {
    const value = values[a.index]!;
    return value.kind === "constant" ? value : undefined;
  };
  const operator = (name: OperatorName, args: readonly Term[], bits: number, by = 0): Term => {
    const lane = operators[name].result === "same" ? args[0]!.lane : (operators[name].result as Lane);
    const fixed = args.map(constantOf);
    if (fixed.every((value) => value !== undefined)) {
      const { low, high } = foldConstants(name, by, lane, fixed);
      return words(lane, low, high);
    }
    const indices = args.map(({ index }) => index);
    return once(`${name} ${indices} ${by}`, () => place({ kind: "operator", lane, name, args: indices, by }, bits));
  };
  const is = (a: Term, low: number): boolean => {
    const value = a.lane === "f64" ? undefined : constantOf(a);
    return value !== undefined && value.low === low && value.high === 0;
  };
  /** The exponent of a constant power of two. */
  const logOf = (a: Term): number | undefined => {
    const value = a.lane === "f64" ? undefined : constantOf(a);
    if (!value) return undefined;
    const bits = bitLength(value.low, value.high) - 1;
    const [low, high] = bits < 32 ? [(1 << bits) >>> 0, 0] : [0, (1 << (bits - 32)) >>> 0];
    return bits >= 0 && value.low === low && value.high === high ? bits : undefined;
  };
  /** Sums and products are the same in either order. */
  const sorted = (a: Term, b: Term): [Term, Term] => (a.index <= b.index ? [a, b] : [b, a]);

  const builder: Builder = {
    words,
    input: (kind, lane, bits) => place({ kind, lane, index: inputs++ }, bits),
    constant: (lane, n) => words(lane, n, lane === "u32" ? 0 : Math.floor(n / 2 ** 32)),
    real: (n) => {
      const [low, high] = new Uint32Array(Float64Array.of(n).buffer) as unknown as [number, number];
      return words("f64", low, high);
    },
    add: (a, b) => {
      if (is(a, 0)) return b;
      if (is(b, 0)) return a;
      return operator("add", sorted(a, b), Math.max(a.bits, b.bits) + 1);
    },
    sub: (a, b) => (is(b, 0) ? a : operator("sub", [a, b], topOf(a.lane))),
    mul: (a, b) => {
      for (const [x, y] of [[a, b] as const, [b, a] as const]) {
        if (is(x, 0)) return x;
        const by = logOf(x);
        if (by !== undefined) return builder.shl(y, by);
      }
      return operator("mul", sorted(a, b), a.bits + b.bits);
    },
    and: (a, b) => {
      if (is(a, 0)) return a;
      if (is(b, 0)) return b;
      return operator("and", sorted(a, b), Math.min(a.bits, b.bits));
    },
    or: (a, b) => {
      if (is(a, 0) || a === b) return b;
      return is(b, 0) ? a : operator("or", sorted(a, b), Math.max(a.bits, b.bits));
    },
    xor: (a, b) => {
      if (is(a, 0)) return b;
      return is(b, 0) ? a : operator("xor", sorted(a, b), Math.max(a.bits, b.bits));
    },
    shl: (a, by) => (by === 0 ? a : operator("shl", [a], a.bits + by, by)),
    shr: (a, by) => {
      if (by === 0) return a;
      return by >= a.bits ? words(a.lane, 0, 0) : operator("shr", [a], a.bits - by, by);
    },
    sar: (a, by) => (by === 0 ? a : operator("sar", [a], topOf(a.lane), by)),
    power: (a) => operator("power", [a], 32),
    widen: (a) => operator("widen", [a], a.bits),
    low: (a) => operator("low", [a], Math.min(32, a.bits)),
    float: (a) => operator("float", [a], 64),
    floor: (a) => operator("floor", [a], 64),
    integer: (a) => operator("integer", [a], 64),
    double: (a) => operator("double", [a], 64),
    mask: (a, width) => {
      if (width >= a.bits) return a;
      const loose = builder.loose(a, width);
      if (width >= loose.bits) return loose;
      const [low, high] = width >= 32 ? [0xffffffff, 2 ** (width - 32) - 1] : [2 ** width - 1, 0];
      return builder.and(loose, words(a.lane, low, high));
    },
    loose: (a, width) => {
      const value = values[a.index]!;
      if (value.kind !== "operator" || value.name !== "and") return a;
      const [x, y] = value.args.map((index) => terms[index]!) as [Term, Term];
      for (const [kept, mask] of [[x, y] as const, [y, x] as const]) {
        const ones = constantOf(mask);
        if (ones && trailingOnes(ones.low, ones.high) >= width) return builder.loose(kept, width);
      }
      return a;
    },
    finish: (outputs) => livingPart(values, outputs),
  };
  return builder;
}

const topOf = (lane: Lane): number => (lane === "u32" ? 32 : 64);

const bitLength = (low: number, high: number): number =>
  high >>> 0 > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(low);

/** How many of the lowest bits are all ones. */
function trailingOnes(low: number, high: number): number {
  const ones = (word: number): number => (word === -1 ? 32 : 31 - Math.clz32(~word & (word + 1)));
  return ones(low | 0) + (low >>> 0 === 0xffffffff ? ones(high | 0) : 0);
}

/** What the outputs need, in the same order. Inputs stay: whoever executes the kernel gives them by their index. */
function livingPart(values: readonly Value[], outputs: readonly Term[]): Kernel {
  const isNeeded = values.map(({ kind }) => kind === "each" || kind === "one");
  for (const { index } of outputs) isNeeded[index] = true;
  for (let k = values.length - 1; k >= 0; k--) {
    const value = values[k]!;
    if (isNeeded[k] && value.kind === "operator") for (const arg of value.args) isNeeded[arg] = true;
  }
  const moved = new Map<number, number>();
  const kept: Value[] = [];
  values.forEach((value, k) => {
    if (!isNeeded[k]) return;
    moved.set(k, kept.length);
    kept.push(value.kind === "operator" ? { ...value, args: value.args.map((arg) => moved.get(arg)!) } : value);
  });
  return { values: kept, outputs: outputs.map(({ index }) => moved.get(index)!) };
}
