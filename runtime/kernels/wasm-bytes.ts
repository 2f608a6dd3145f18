/** Bytes of WebAssembly: the binary format of its specification, section 5. */

/** An unsigned number in LEB128. */
export function unsigned(n: number): number[] {
  const bytes: number[] = [];
  for (let rest = n; ; ) {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
    if (rest === 0) return bytes;
  }
}

/** A signed 32-bit number in LEB128. */
export function signed(n: number): number[] {
  const bytes: number[] = [];
  for (let rest = n | 0; ; ) {
    const low = rest & 127;
    rest >>= 7;
    const isLast = (rest === 0 && low < 64) || (rest === -1 && low >= 64);
    bytes.push(isLast ? low : low + 128);
    if (isLast) return bytes;
  }
}

export const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];

const text = (name: string): number[] => vector([...name].map((character) => [character.charCodeAt(0)]));

const i32 = 0x7f;
const i64 = 0x7e;
const v128 = 0x7b;

export interface FunctionBody {
  readonly name: string;
  /** Numbers of parameters of type i32, which are the first locals, and of the locals after them, in this order. */
  readonly parameters: number;
  readonly locals: { readonly i32?: number; readonly i64?: number; readonly v128?: number };
  readonly code: readonly number[];
}

/** A module that imports `memory` from `kernels` and exports functions that return nothing. */
export function moduleBytes(functions: readonly FunctionBody[]): Uint8Array {
  const types = functions.map(({ parameters }) => [0x60, ...vector(Array(parameters).fill([i32])), 0]);
  const bodies = functions.map(({ locals, code }) => {
    const groups = [
      [locals.i32 ?? 0, i32],
      [locals.i64 ?? 0, i64],
      [locals.v128 ?? 0, v128],
    ] as const;
    const body = [...vector(groups.map(([count, type]) => [...unsigned(count), type])), ...code, 0x0b];
    return [...unsigned(body.length), ...body];
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...text("kernels"), ...text("memory"), 2, 0, 1]])),
    ...section(3, vector(functions.map((_, k) => unsigned(k)))),
    ...section(7, vector(functions.map(({ name }, k) => [...text(name), 0, ...unsigned(k)]))),
    ...section(10, vector(bodies)),
  ]);
}

export const local = {
  get: (index: number): number[] => [0x20, ...unsigned(index)],
  set: (index: number): number[] => [0x21, ...unsigned(index)],
};

/** Opcodes of numbers. */
export const scalar = {
  i32: (n: number): number[] => [0x41, ...signed(n)],
  i64: (n: number): number[] => [0x42, ...signed(n)],
  addI32: 0x6a,
  lessI32: 0x49,
  andI64: 0x83,
  orI64: 0x84,
  shlI64: 0x86,
  shrI64: 0x88,
  load: (offset: number): number[] => [0x29, 3, ...unsigned(offset)],
  /** A u32 as an i64. */
  loadWord: (offset: number): number[] => [0x35, 2, ...unsigned(offset)],
  store: (offset: number): number[] => [0x37, 3, ...unsigned(offset)],
  /** The low word of an i64. */
  storeWord: (offset: number): number[] => [0x3e, 2, ...unsigned(offset)],
} as const;

const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];

/** Opcodes of vectors, by the names of the specification. */
export const vectors = {
  load: (offset: number): number[] => [...simd(0x00), 4, ...unsigned(offset)],
  splat32: (offset: number): number[] => [...simd(0x09), 2, ...unsigned(offset)],
  splat64: (offset: number): number[] => [...simd(0x0a), 3, ...unsigned(offset)],
  store: (offset: number): number[] => [...simd(0x0b), 4, ...unsigned(offset)],
  constant: (words: readonly number[]): number[] => [...simd(0x0c), ...new Uint8Array(Uint32Array.from(words).buffer)],
  shuffle: (bytes: readonly number[]): number[] => [...simd(0x0d), ...bytes],
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  i32x4: { shl: simd(0xab), sar: simd(0xac), shr: simd(0xad), add: simd(0xae), sub: simd(0xb1), mul: simd(0xb5) },
  i64x2: {
    ...{ extendLow: simd(0xc9), extendHigh: simd(0xca) },
    ...{ shl: simd(0xcb), sar: simd(0xcc), shr: simd(0xcd), add: simd(0xce), sub: simd(0xd1), mul: simd(0xd5) },
  },
  f64x2: { add: simd(0xf0), sub: simd(0xf1), mul: simd(0xf2), floor: simd(0x75), convertLow: simd(0xff) },
  truncateFloats: simd(0xf9),
} as const;

/** Repeats code while the counter, a local of type i32, is below the limit, another. */
export const countUp = (counter: number, limit: number, step: number, code: readonly number[]): number[] => [
  ...[0x02, 0x40, 0x03, 0x40],
  ...[...local.get(counter), ...local.get(limit), scalar.lessI32, 0x45, 0x0d, 1],
  ...code,
  ...[...local.get(counter), ...scalar.i32(step), scalar.addI32, ...local.set(counter), 0x0c, 0, 0x0b, 0x0b],
];
