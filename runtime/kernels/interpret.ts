import { type Kernel, type Lane, type OperatorName, type Value, wordsOf } from "./language.ts";

/**
 * Executes a kernel in plain TypeScript, one value for all elements after the other: the meaning of the language, and
 * what runs a kernel that is not worth compiling. Inputs and outputs are arrays of words; an input for all has one
 * element.
 */
export function interpret(kernel: Kernel, inputs: readonly Uint32Array[], count: number): Uint32Array[] {
  return createInterpreter(kernel)(inputs, count).map((words) => words.slice());
}

/** Words that values are computed in, for any kernel: one runs at a time. */
const arrays: Uint32Array[] = [];

function arrayOf(slot: number, words: number): Uint32Array {
  const found = arrays[slot];
  if (found && found.length >= words) return found;
  arrays[slot] = new Uint32Array(words);
  return arrays[slot];
}

/**
 * An interpreter of a kernel. Values share a few arrays, each from where it is computed to its last use; what it returns
 * is overwritten by the next call, of any kernel.
 */
export function createInterpreter(
  kernel: Kernel,
): (inputs: readonly Uint32Array[], count: number) => readonly Uint32Array[] {
  const slots = slotsOf(kernel);
  return (inputs, count) => {
    const values: Uint32Array[] = [];
    kernel.values.forEach((value, k) => {
      const size = wordsOf(value.lane) * count;
      const out = value.kind === "each" ? inputs[value.index]! : arrayOf(slots[k]!, size);
      const words = out.subarray(0, size);
      evaluate(kernel, value, values, inputs, words);
      values.push(words);
    });
    return kernel.outputs.map((index) => values[index]!);
  };
}

/** The array of each value: one that no value before it needs any more. */
function slotsOf({ values, outputs }: Kernel): readonly number[] {
  const last = values.map((_, k) => k);
  values.forEach((value, k) => {
    if (value.kind === "operator") for (const arg of value.args) last[arg] = k;
  });
  for (const index of outputs) last[index] = values.length;
  const until: number[] = [];
  return values.map((value, k) => {
    if (value.kind === "each") return -1;
    // An operator may not overwrite what it reads.
    const free = until.findIndex((end) => end < k);
    const slot = free < 0 ? until.length : free;
    until[slot] = last[k]!;
    return slot;
  });
}

/** The number that an operator gives for constants. */
export function foldConstants(
  name: OperatorName,
  by: number,
  lane: Lane,
  args: readonly { readonly lane: Lane; readonly low: number; readonly high: number }[],
): { readonly low: number; readonly high: number } {
  const inputs = args.map((arg) => Uint32Array.from(wordsOf(arg.lane) === 1 ? [arg.low] : [arg.low, arg.high]));
  const out = new Uint32Array(wordsOf(lane));
  apply(name, by, lane, args[0]!.lane, inputs, out);
  return { low: out[0]!, high: out[1] ?? 0 };
}

function evaluate(
  kernel: Kernel,
  value: Value,
  values: readonly Uint32Array[],
  inputs: readonly Uint32Array[],
  out: Uint32Array,
): void {
  if (value.kind === "one") repeat(inputs[value.index]!, wordsOf(value.lane), out);
  if (value.kind === "constant") repeat([value.low, value.high], wordsOf(value.lane), out);
  if (value.kind !== "operator") return;
  const args = value.args.map((index) => values[index]!);
  apply(value.name, value.by, value.lane, kernel.values[value.args[0]!]!.lane, args, out);
}

function repeat(words: ArrayLike<number>, each: 1 | 2, out: Uint32Array): void {
  if (each === 1) out.fill(words[0]!);
  else for (let k = 0; k < out.length; k++) out[k] = words[k & 1]!;
}

type Loop = (out: Uint32Array, x: Uint32Array, y: Uint32Array, by: number) => void;

function apply(
  name: OperatorName,
  by: number,
  lane: Lane,
  from: Lane,
  [x, y]: readonly Uint32Array[],
  out: Uint32Array,
): void {
  const loop = lane === "f64" || from === "f64" ? floats[name] : (from === "u64" ? wide : narrow)[name];
  if (!loop) throw new Error(`internal error: ${name} does not take ${from}`);
  loop(out, x!, y ?? x!, by);
}

const narrow: Readonly<Partial<Record<OperatorName, Loop>>> = {
  add: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! + y[k]!;
  },
  sub: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! - y[k]!;
  },
  mul: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = Math.imul(x[k]!, y[k]!);
  },
  and: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! & y[k]!;
  },
  or: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! | y[k]!;
  },
  xor: (out, x, y) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! ^ y[k]!;
  },
  shl: (out, x, _, by) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! << by;
  },
  shr: (out, x, _, by) => {
    for (let k = 0; k < out.length; k++) out[k] = x[k]! >>> by;
  },
  sar: (out, x, _, by) => {
    for (let k = 0; k < out.length; k++) out[k] = (x[k]! | 0) >> by;
  },
  power: (out, x) => {
    for (let k = 0; k < out.length; k++) out[k] = 1 << x[k]!;
  },
  widen: (out, x) => {
    for (let k = 0; k < x.length; k++) {
      out[2 * k] = x[k]!;
      out[2 * k + 1] = 0;
    }
  },
};

// Carries and borrows come from the bits, never from a comparison: shares pass through here.
const wide: Readonly<Partial<Record<OperatorName, Loop>>> = {
  add: (out, x, y) => {
    for (let k = 0; k < out.length; k += 2) {
      const a = x[k]! | 0;
      const b = y[k]! | 0;
      const low = (a + b) | 0;
      out[k] = low;
      out[k + 1] = x[k + 1]! + y[k + 1]! + (((a & b) | ((a | b) & ~low)) >>> 31);
    }
  },
  sub: (out, x, y) => {
    for (let k = 0; k < out.length; k += 2) {
      const a = x[k]! | 0;
      const b = y[k]! | 0;
      const low = (a - b) | 0;
      out[k] = low;
      out[k + 1] = x[k + 1]! - y[k + 1]! - (((~a & b) | ((~a | b) & low)) >>> 31);
    }
  },
  mul: (out, x, y) => {
    for (let k = 0; k < out.length; k += 2) {
      const a = x[k]!;
      const b = y[k]!;
      const crossed = Math.imul(a, y[k + 1]!) + Math.imul(x[k + 1]!, b);
      out[k] = Math.imul(a, b);
      out[k + 1] = highProduct(a, b) + crossed;
    }
  },
  and: narrow.and!,
  or: narrow.or!,
  xor: narrow.xor!,
  shl: (out, x, _, by) => {
    const from = by & 31;
    for (let k = 0; k < out.length; k += 2) {
      const low = by < 32 ? x[k]! : 0;
      const high = by < 32 ? x[k + 1]! : x[k]!;
      out[k] = low << from;
      out[k + 1] = (high << from) | ((low >>> 1) >>> (31 - from));
    }
  },
  shr: (out, x, _, by) => {
    const from = by & 31;
    for (let k = 0; k < out.length; k += 2) {
      const high = by < 32 ? x[k + 1]! : 0;
      const low = by < 32 ? x[k]! : x[k + 1]!;
      out[k] = (low >>> from) | ((high << 1) << (31 - from));
      out[k + 1] = high >>> from;
    }
  },
  sar: (out, x, _, by) => {
    const from = by & 31;
    for (let k = 0; k < out.length; k += 2) {
      const sign = (x[k + 1]! | 0) >> 31;
      const high = by < 32 ? x[k + 1]! | 0 : sign;
      const low = by < 32 ? x[k]! : x[k + 1]!;
      out[k] = (low >>> from) | ((high << 1) << (31 - from));
      out[k + 1] = high >> from;
    }
  },
  low: (out, x) => {
    for (let k = 0; k < out.length; k++) out[k] = x[2 * k]!;
  },
};

const doubles = (words: Uint32Array): Float64Array =>
  new Float64Array(words.buffer, words.byteOffset, words.length / 2);

const floats: Readonly<Partial<Record<OperatorName, Loop>>> = {
  add: onDoubles((a, b) => a + b),
  sub: onDoubles((a, b) => a - b),
  mul: onDoubles((a, b) => a * b),
  floor: onDoubles(Math.floor),
  double: (out, x) => out.set(x),
  float: (out, x) => doubles(out).set(x),
  integer: (out, x) => {
    const values = doubles(x);
    for (let k = 0; k < values.length; k++) {
      out[2 * k] = values[k]!;
      out[2 * k + 1] = Math.floor(values[k]! / 2 ** 32);
    }
  },
};

function onDoubles(of: (a: number, b: number) => number): Loop {
  return (out, x, y) => {
    const [to, a, b] = [doubles(out), doubles(x), doubles(y)];
    for (let k = 0; k < to.length; k++) to[k] = of(a[k]!, b[k]!);
  };
}

/** Upper 32 bits of the 64-bit product of two u32, from 16-bit limbs: no intermediate exceeds 2^32 − 1. */
export function highProduct(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const t = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  const u = Math.imul(a0, b1) + (t & 0xffff);
  return (Math.imul(a1, b1) + (t >>> 16) + (u >>> 16)) | 0;
}
