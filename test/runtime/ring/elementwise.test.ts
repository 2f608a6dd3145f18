import fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  addConstant,
  addInteger,
  mul,
  mulConstant,
  mulInteger,
  neg,
  sub,
  xorWords,
} from "../../../runtime/ring/arithmetic.ts";
import { bitAt, lessThan } from "../../../runtime/ring/bits.ts";
import { broadcastShapes } from "../../../runtime/ring/broadcast.ts";
import { intTensor, metaTensor, type RingTensor, sizeOf } from "../../../runtime/ring/tensor.ts";
import { broadcastIndex, shapePairs, tensorOf, tensors, valuesOf, widths } from "./reference.ts";

const binary = [
  ["add", add, (a, b) => a + b],
  ["sub", sub, (a, b) => a - b],
  ["mul", mul, (a, b) => a * b],
  ["xorWords", xorWords, (a, b) => a ^ b],
  ["lessThan", lessThan, (a, b) => (a < b ? 1n : 0n)],
] satisfies [string, (a: RingTensor, b: RingTensor) => RingTensor, (a: bigint, b: bigint) => bigint][];

const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 1, -1, 2 ** 32, -(2 ** 32), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
);

test.each(binary)("%s agrees with bigint, broadcast", (name, operation, reference) => {
  const operands = fc
    .tuple(widths, shapePairs)
    .chain(([width, [a, b]]) => fc.tuple(tensors(a, width), tensors(b, width)));
  fc.assert(
    fc.property(operands, ([a, b]) => {
      const result = operation(a, b);
      const shape = broadcastShapes(a.shape, b.shape);
      const [x, y] = [valuesOf(a), valuesOf(b)];
      const expected = Array.from({ length: sizeOf(shape) }, (_, i) =>
        reference(x[broadcastIndex(i, a.shape, shape)]!, y[broadcastIndex(i, b.shape, shape)]!),
      );
      expect(result).toEqual(tensorOf(shape, name === "lessThan" ? 1 : a.width, expected));
    }),
    { numRuns: 300 },
  );
});

test.each(binary)("%s refuses different widths and shapes", (_, operation) => {
  expect(() => operation(metaTensor([2], 8), metaTensor([2], 9))).toThrow(/8 bits.*9/);
  expect(() => operation(metaTensor([2], 8), metaTensor([3], 8))).toThrow(/\[2\].*\[3\]/);
});

test("integers and constants agree with bigint at every width", () => {
  const operands = fc
    .tuple(widths, shapePairs)
    .chain(([width, [a, b]]) =>
      fc.tuple(tensors(a, width), fc.constant(b), fc.array(safe, { minLength: sizeOf(b), maxLength: sizeOf(b) })),
    );
  fc.assert(
    fc.property(operands, ([a, other, list]) => {
      const ints = intTensor(other, Float64Array.from(list));
      const shape = broadcastShapes(a.shape, other);
      const x = valuesOf(a);
      const pairs = Array.from({ length: sizeOf(shape) }, (_, i): [bigint, bigint] => [
        x[broadcastIndex(i, a.shape, shape)]!,
        BigInt(list[broadcastIndex(i, other, shape)]!),
      ]);
      const expected = (f: (a: bigint, b: bigint) => bigint) =>
        tensorOf(
          shape,
          a.width,
          pairs.map(([p, q]) => f(p, q)),
        );
      expect(addInteger(a, ints)).toEqual(expected((p, q) => p + q));
      expect(mulInteger(a, ints)).toEqual(expected((p, q) => p * q));
      const n = BigInt(list[0]!);
      expect(valuesOf(addConstant(a, list[0]!))).toEqual(x.map((v) => BigInt.asUintN(a.width, v + n)));
      expect(valuesOf(mulConstant(a, list[0]!))).toEqual(x.map((v) => BigInt.asUintN(a.width, v * n)));
      expect(valuesOf(neg(a))).toEqual(x.map((v) => BigInt.asUintN(a.width, -v)));
    }),
    { numRuns: 300 },
  );
});

test("integers that a double cannot hold are refused", () => {
  const one = tensorOf([1], 64, [1n]);
  expect(() => addConstant(one, 2 ** 53 + 2)).toThrow(RangeError);
  expect(() => mulConstant(one, 0.5)).toThrow(RangeError);
  expect(() => mulInteger(one, intTensor([2], Float64Array.of(1, 0.5)))).toThrow(/element 1/);
});

test("a power of 2 is a constant of any ring, however large", () => {
  const one = tensorOf([1], 64, [1n]);
  for (let k = 53; k < 64; k++) {
    expect(addConstant(one, 2 ** k)).toEqual(tensorOf([1], 64, [1n + 2n ** BigInt(k)]));
    expect(addConstant(one, -(2 ** k))).toEqual(tensorOf([1], 64, [BigInt.asUintN(64, 1n - 2n ** BigInt(k))]));
  }
});

test("bitAt picks the addressed bit of a word", () => {
  const operands = fc
    .tuple(fc.integer({ min: 1, max: 5 }), shapePairs)
    .chain(([k, [a, b]]) => fc.tuple(tensors(a, 2 ** k), tensors(b, k)));
  fc.assert(
    fc.property(operands, ([words, index]) => {
      const shape = broadcastShapes(words.shape, index.shape);
      const [x, y] = [valuesOf(words), valuesOf(index)];
      const expected = Array.from(
        { length: sizeOf(shape) },
        (_, i) => x[broadcastIndex(i, words.shape, shape)]! >> y[broadcastIndex(i, index.shape, shape)]!,
      );
      expect(bitAt(words, index)).toEqual(tensorOf(shape, 1, expected));
    }),
  );
  expect(() => bitAt(metaTensor([1], 16), metaTensor([1], 5))).toThrow(/16 bits.*5 bits/);
});

test("a meta tensor makes a meta tensor", () => {
  const known = tensorOf([2, 1], 40, [1n, 2n]);
  const unknown = metaTensor([3], 40);
  for (const [name, operation] of binary) {
    expect(operation(known, unknown)).toEqual(metaTensor([2, 3], name === "lessThan" ? 1 : 40));
    expect(operation(unknown, known)).toEqual(metaTensor([2, 3], name === "lessThan" ? 1 : 40));
  }
  expect(addInteger(unknown, intTensor([2, 1], Float64Array.of(1, 2)))).toEqual(metaTensor([2, 3], 40));
  expect(mulInteger(known, intTensor([3], undefined))).toEqual(metaTensor([2, 3], 40));
  expect(addConstant(unknown, 3)).toEqual(unknown);
  expect(neg(unknown)).toEqual(unknown);
  expect(bitAt(metaTensor([3], 16), tensorOf([2, 1], 4, [1n, 2n]))).toEqual(metaTensor([2, 3], 1));
});
