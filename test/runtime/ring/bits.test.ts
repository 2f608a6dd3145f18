import fc from "fast-check";
import { expect, test } from "vitest";
import { extractBits, msb } from "../../../runtime/ring/bits.ts";
import { fromIntegers, fromReal, toIntegers, toReal } from "../../../runtime/ring/convert.ts";
import { pack, unpack } from "../../../runtime/ring/pack.ts";
import { reduceSum } from "../../../runtime/ring/reduce.ts";
import { narrow, shiftLeft, shiftRight, shiftRightRounded, widen, widenSigned } from "../../../runtime/ring/shift.ts";
import { intTensor, metaTensor, packedBytes } from "../../../runtime/ring/tensor.ts";
import { shapes, tensorOf, tensors, valuesOf, widths } from "./reference.ts";

const operands = fc.tuple(widths, shapes).chain(([width, shape]) => tensors(shape, width));
const cases = fc.tuple(operands, fc.nat(), fc.nat());

test("shifts, digits and widths agree with bigint", () => {
  fc.assert(
    fc.property(cases, (drawn) => {
      const [a, m, n] = drawn;
      const { shape, width } = a;
      const x = valuesOf(a);
      const by = m % width;
      const shift = BigInt(by);
      const expected = (to: number, f: (v: bigint) => bigint) => tensorOf(shape, to, x.map(f));
      expect(shiftRight(a, by)).toEqual(expected(width - by, (v) => v >> shift));
      expect(shiftLeft(a, by)).toEqual(expected(width, (v) => v << shift));
      const half = by === 0 ? 0n : 1n << (shift - 1n);
      expect(shiftRightRounded(a, by)).toEqual(expected(width - by, (v) => BigInt.asUintN(width, v + half) >> shift));
      const bits = 1 + (n % 64);
      expect(extractBits(a, by, bits)).toEqual(expected(bits, (v) => v >> shift));
      expect(msb(a)).toEqual(expected(1, (v) => v >> BigInt(width - 1)));
      const less = 1 + (n % width);
      expect(narrow(a, less)).toEqual(expected(less, (v) => v));
      const more = width + (n % (65 - width));
      expect(widen(a, more)).toEqual(expected(more, (v) => v));
      expect(widenSigned(a, more)).toEqual(expected(more, (v) => BigInt.asIntN(width, v)));
    }),
    { numRuns: 2000 },
  );
});

test("what would leave no bits or too many is refused", () => {
  const a = metaTensor([2], 20);
  for (const refused of [
    () => shiftRight(a, 20),
    () => shiftRight(a, -1),
    () => shiftLeft(a, 20),
    () => shiftRightRounded(a, 1.5),
    () => narrow(a, 21),
    () => widen(a, 19),
    () => widenSigned(a, 65),
    () => extractBits(a, 20, 1),
    () => extractBits(a, 0, 65),
  ]) {
    expect(refused).toThrow(RangeError);
  }
});

test("pack writes element i at bit i·width and unpack reads it back", () => {
  fc.assert(
    fc.property(operands, (a) => {
      const bytes = pack(a);
      expect(bytes.length).toBe(packedBytes(a.shape, a.width));
      const whole = valuesOf(a).reduce((sum, v, i) => sum | (v << BigInt(i * a.width)), 0n);
      expect(Array.from(bytes)).toEqual(Array.from(bytes, (_, k) => Number((whole >> BigInt(8 * k)) & 255n)));
      expect(unpack(bytes, a.shape, a.width)).toEqual(a);
    }),
    { numRuns: 1000 },
  );
});

test("unpack reads from unaligned buffers, and refuses wrong lengths and padding", () => {
  const a = tensorOf([3], 11, [1n, 2n, 2047n]);
  const bytes = pack(a);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(unpack(shifted.subarray(3), [3], 11)).toEqual(a);
  expect(() => unpack(bytes.subarray(1), [3], 11)).toThrow(/5 bytes, got 4/);
  expect(() => unpack(Uint8Array.of(...bytes, 0), [3], 11)).toThrow(RangeError);
  for (let bit = 33; bit < 40; bit++) {
    const wrong = bytes.slice();
    wrong[4]! |= 1 << (bit - 32);
    expect(() => unpack(wrong, [3], 11)).toThrow(/not zero/);
  }
  expect(() => pack(metaTensor([3], 11))).toThrow(RangeError);
  expect(pack(tensorOf([0], 11, [])).length).toBe(0);
});

test("integers survive the ring, signed, and truth values as 0 and 1", () => {
  fc.assert(
    fc.property(operands, (a) => {
      const signed = valuesOf(a).map((v) => (a.width === 1 ? v : BigInt.asIntN(a.width, v)));
      if (signed.every((v) => v < 2n ** 53n && v > -(2n ** 53n))) {
        expect(Array.from(toIntegers(a).data!, BigInt)).toEqual(signed);
        expect(fromIntegers(toIntegers(a), a.width)).toEqual(a);
      } else {
        expect(() => toIntegers(a)).toThrow(/element \d+/);
      }
      expect(Array.from(toReal(a, 7))).toEqual(signed.map((v) => Number(v) / 128));
    }),
    { numRuns: 1000 },
  );
  expect(toIntegers(tensorOf([1], 64, [-(2n ** 53n) + 1n])).data![0]).toBe(Number.MIN_SAFE_INTEGER);
});

test("reals are rounded half up and refused when they do not fit", () => {
  expect(valuesOf(fromReal(Float64Array.of(1.5, -1.5, 2.5, 0.49, -0.5), [5], 8, 0))).toEqual([2n, 255n, 3n, 0n, 0n]);
  expect(valuesOf(fromReal(Float32Array.of(-(2 ** 40), 2 ** 40), [2], 64, 20))).toEqual([
    2n ** 64n - 2n ** 60n,
    2n ** 60n,
  ]);
  expect(valuesOf(fromReal(Float64Array.of(2 ** 20), [1], 16, -10))).toEqual([1024n]);
  for (const wrong of [127.5, 128, -128, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => fromReal(Float64Array.of(0, 0, wrong), [3], 8, 0)).toThrow(/element 2/);
  }
  expect(fromReal(undefined, [3], 8, 0)).toEqual(metaTensor([3], 8));
  expect(() => fromReal(Float64Array.of(1), [2], 8, 0)).toThrow(RangeError);
  expect(() => toReal(metaTensor([3], 8), 0)).toThrow(RangeError);
});

test("reduceSum agrees with bigint over any axes", () => {
  fc.assert(
    fc.property(operands, fc.array(fc.nat(), { maxLength: 3 }), fc.boolean(), (a, drawn, keepdims) => {
      const rank = a.shape.length;
      const axes = rank === 0 ? [] : drawn.map((n) => (n % (2 * rank)) - rank);
      const reduced = new Set(axes.map((axis) => (axis + rank) % rank));
      const kept = a.shape.map((extent, axis) => (reduced.has(axis) ? 1 : extent));
      const sums = new Array<bigint>(kept.reduce((p, n) => p * n, 1)).fill(0n);
      valuesOf(a).forEach((value, index) => {
        let rest = index;
        let to = 0;
        let stride = 1;
        for (let axis = rank - 1; axis >= 0; axis--) {
          const position = rest % a.shape[axis]!;
          rest = Math.floor(rest / a.shape[axis]!);
          to += reduced.has(axis) ? 0 : position * stride;
          stride *= kept[axis]!;
        }
        sums[to]! += value;
      });
      const shape = keepdims ? kept : a.shape.filter((_, axis) => !reduced.has(axis));
      expect(reduceSum(a, axes, keepdims)).toEqual(tensorOf(shape, a.width, sums));
    }),
    { numRuns: 500 },
  );
  expect(() => reduceSum(metaTensor([2], 8), [1], false)).toThrow(/no axis 1/);
});

test("a meta tensor makes a meta tensor", () => {
  const a = metaTensor([2, 3], 40);
  expect(shiftRight(a, 10)).toEqual(metaTensor([2, 3], 30));
  expect(shiftRightRounded(a, 10)).toEqual(metaTensor([2, 3], 30));
  expect(shiftLeft(a, 10)).toEqual(a);
  expect(extractBits(a, 3, 8)).toEqual(metaTensor([2, 3], 8));
  expect(msb(a)).toEqual(metaTensor([2, 3], 1));
  expect(narrow(a, 8)).toEqual(metaTensor([2, 3], 8));
  expect(widen(a, 64)).toEqual(metaTensor([2, 3], 64));
  expect(widenSigned(a, 64)).toEqual(metaTensor([2, 3], 64));
  expect(reduceSum(a, [-1], true)).toEqual(metaTensor([2, 1], 40));
  expect(toIntegers(a)).toEqual(intTensor([2, 3], undefined));
  expect(fromIntegers(intTensor([2, 3], undefined), 40)).toEqual(a);
});
