import { type Builder, highProduct, type Term } from "../kernels/index.ts";
import { fromIntegers, residue } from "./convert.ts";
import { isWorthDeferring } from "./deferred.ts";
import { deferElements, type ElementCode } from "./deferred-elements.ts";
import { type ElementLoop, type ElementOperator, elementwise } from "./elementwise.ts";
import { kernel, sameWidth } from "./kernel.ts";
import { type IntTensor, lanesOf, type RingTensor, type Shape, sizeOf, zeros } from "./tensor.ts";

/** a + b mod 2^width, broadcast. @throws RangeError if the widths differ or the shapes do not broadcast. */
export function add(a: RingTensor, b: RingTensor): RingTensor {
  return elementwise(a, b, sameWidth("add", a, b), addOf(a.width));
}

/** a − b mod 2^width, broadcast. @throws RangeError as `add` does. */
export function sub(a: RingTensor, b: RingTensor): RingTensor {
  return elementwise(a, b, sameWidth("sub", a, b), subOf(a.width));
}

/** −a mod 2^width. */
export function neg(a: RingTensor): RingTensor {
  return sub(zeros([], a.width), a);
}

/** Elementwise product mod 2^width, broadcast. @throws RangeError as `add` does. */
export function mul(a: RingTensor, b: RingTensor): RingTensor {
  return elementwise(a, b, sameWidth("mul", a, b), mulOf(a.width));
}

/** Bitwise exclusive or of the words, broadcast. @throws RangeError as `add` does. */
export function xorWords(a: RingTensor, b: RingTensor): RingTensor {
  return elementwise(a, b, sameWidth("xorWords", a, b), xorOf());
}

/** a + integers mod 2^width, broadcast; the integers may be negative. */
export function addInteger(a: RingTensor, b: IntTensor): RingTensor {
  return add(a, fromIntegers(b, a.width));
}

/** a · integers mod 2^width, broadcast; the integers may be negative. */
export function mulInteger(a: RingTensor, b: IntTensor): RingTensor {
  return mul(a, fromIntegers(b, a.width));
}

/** a + n mod 2^width. @throws RangeError unless n is an integer below 2^53 or a multiple of 2^32 below 2^85. */
export function addConstant(a: RingTensor, n: number): RingTensor {
  const amount = constant(n, a.width);
  if (!isWorthDeferring(sizeOf(a.shape), [a])) return add(a, amount);
  return deferElements(a.shape, a.width, [a], (code, x) => sumCode(a.width)(code, x!, numberCode(code, amount)));
}

/** a · n mod 2^width. @throws RangeError as `addConstant`. */
export function mulConstant(a: RingTensor, n: number): RingTensor {
  const factor = constant(n, a.width);
  if (!isWorthDeferring(sizeOf(a.shape), [a])) return mul(a, factor);
  return deferElements(a.shape, a.width, [a], (code, x) => productCode(a.width)(code, x!, numberCode(code, factor)));
}

/**
 * The residue n in every element, where `like` has contents: beside a meta tensor a constant is one too, so that counting
 * a program makes no tensor.
 */
export function filled(like: RingTensor, shape: Shape, width: number, n: number): RingTensor {
  const number = constant(n, width);
  if (isWorthDeferring(sizeOf(shape), [like]))
    return deferElements(shape, width, [], (code) => numberCode(code, number));
  return kernel([like], shape, width, (out) => {
    const [low = 0, high = 0] = number.data!;
    if (lanesOf(width) === 1) out.fill(low);
    else for (let i = 0; i < out.length; i++) out[i] = i & 1 ? high : low;
  });
}

function constant(n: number, width: number): RingTensor {
  // Beyond 2^53 a number may have been rounded; a number of few bits, such as the bound of a binade, is exact.
  if (!Number.isSafeInteger(n) && !Number.isSafeInteger(n / 2 ** 32))
    throw new RangeError(`constant ${n} is not an integer below 2^53, nor a multiple of 2^32`);
  return residue(n, width);
}

/** The elements of a public constant in a kernel. */
const numberCode = (code: Builder, { data, width }: RingTensor): Term =>
  code.words(lanesOf(width) === 1 ? "u32" : "u64", data![0]!, data![1] ?? 0);

// Sums, differences and products mod 2^width do not depend on bits above: operands need no mask of their own.
const low = (code: Builder, width: number, x: Term): Term => code.loose(x, width);
const sumCode =
  (width: number): ElementCode =>
  (code, x, y) =>
    code.mask(code.add(low(code, width, x!), low(code, width, y!)), width);
const differenceCode =
  (width: number): ElementCode =>
  (code, x, y) =>
    code.mask(code.sub(low(code, width, x!), low(code, width, y!)), width);
const productCode =
  (width: number): ElementCode =>
  (code, x, y) =>
    code.mask(code.mul(low(code, width, x!), low(code, width, y!)), width);

// Carries and borrows are computed from the bits, never by comparison: shares pass through here.

const addNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) out[at] = (x[i]! + y[j]!) & mask;
};

const addWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    const a = x[2 * i]! | 0;
    const b = y[2 * j]! | 0;
    const low = (a + b) | 0;
    const carry = ((a & b) | ((a | b) & ~low)) >>> 31;
    out[2 * at] = low;
    out[2 * at + 1] = (x[2 * i + 1]! + y[2 * j + 1]! + carry) & mask;
  }
};

const subNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) out[at] = (x[i]! - y[j]!) & mask;
};

const subWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    const a = x[2 * i]! | 0;
    const b = y[2 * j]! | 0;
    const low = (a - b) | 0;
    const borrow = ((~a & b) | ((~a | b) & low)) >>> 31;
    out[2 * at] = low;
    out[2 * at + 1] = (x[2 * i + 1]! - y[2 * j + 1]! - borrow) & mask;
  }
};

const mulNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) out[at] = Math.imul(x[i]!, y[j]!) & mask;
};

const mulWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ, mask) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    const a = x[2 * i]!;
    const b = y[2 * j]!;
    const crossed = Math.imul(a, y[2 * j + 1]!) + Math.imul(x[2 * i + 1]!, b);
    out[2 * at] = Math.imul(a, b);
    out[2 * at + 1] = (highProduct(a, b) + crossed) & mask;
  }
};

const xorNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) out[at] = x[i]! ^ y[j]!;
};

const xorWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    out[2 * at] = x[2 * i]! ^ y[2 * j]!;
    out[2 * at + 1] = x[2 * i + 1]! ^ y[2 * j + 1]!;
  }
};

const addOf = (width: number): ElementOperator => ({ narrow: addNarrow, wide: addWide, code: sumCode(width) });
const subOf = (width: number): ElementOperator => ({ narrow: subNarrow, wide: subWide, code: differenceCode(width) });
const mulOf = (width: number): ElementOperator => ({ narrow: mulNarrow, wide: mulWide, code: productCode(width) });
const xorOf = (): ElementOperator => ({ narrow: xorNarrow, wide: xorWide, code: (code, x, y) => code.xor(x!, y!) });
