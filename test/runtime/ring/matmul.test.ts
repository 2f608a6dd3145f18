import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chachaBase64,
  chachaBytes,
  chachaSha256,
  kernelBase64,
  kernelBytes,
  kernelSha256,
  residuesBase64,
  residuesBytes,
  residuesSha256,
} from "../../../runtime/ring/kernels.generated.ts";
import { matmul, matmulInteger } from "../../../runtime/ring/matmul.ts";
import { matmulIntegerPlain, matmulPlain } from "../../../runtime/ring/matmul-plain.ts";
import {
  type IntTensor,
  intTensor,
  metaTensor,
  type RingTensor,
  ringTensor,
  type Shape,
  sizeOf,
} from "../../../runtime/ring/tensor.ts";
import { broadcastIndex, randomTensor, tensorOf, tensors, valuesOf, widths } from "./reference.ts";

/** Integers of ±2^(bits−1), seeded. */
function randomIntegers(shape: Shape, bits: number, seed: number): IntTensor {
  const { data } = randomTensor(shape, 32, seed);
  return intTensor(
    shape,
    Float64Array.from(data!, (v) => Math.floor((v / 2 ** 32) * 2 ** bits) - 2 ** (bits - 1)),
  );
}

/** Every residue the same, so that sums are as large as they get. */
const filled = (shape: Shape, width: number, value: bigint): RingTensor =>
  tensorOf(shape, width, new Array<bigint>(sizeOf(shape)).fill(value));

const sameData = (a: RingTensor, b: RingTensor) => {
  expect(a.shape).toEqual(b.shape);
  expect(a.width).toBe(b.width);
  const index = a.data!.findIndex((lane, i) => lane !== b.data![i]);
  expect(index, index < 0 ? "" : `lane ${index}: ${a.data![index]} is not ${b.data![index]}`).toBe(-1);
};

test("plain matmul agrees with bigint, leading axes broadcast", () => {
  const leads = fc.constantFrom<[Shape, Shape, Shape]>(
    [[], [], []],
    [[2], [], [2]],
    [[], [3], [3]],
    [[2, 3], [3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [[2], [1], [2]],
  );
  const extents = fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
  );
  const cases = fc
    .tuple(widths, leads, extents)
    .chain(([width, [leadX, leadY, lead], [m, k, n]]) =>
      fc.tuple(tensors([...leadX, m, k], width), tensors([...leadY, k, n], width), fc.constant([...lead, m, n])),
    );
  fc.assert(
    fc.property(cases, ([x, y, shape]) => {
      const [m, k, n] = [x.shape.at(-2)!, x.shape.at(-1)!, y.shape.at(-1)!];
      const [a, b] = [valuesOf(x), valuesOf(y)];
      const lead = shape.slice(0, -2);
      const values = Array.from({ length: sizeOf(shape) }, (_, at) => {
        const [batch, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
        const p = broadcastIndex(batch, x.shape.slice(0, -2), lead) * m * k;
        const q = broadcastIndex(batch, y.shape.slice(0, -2), lead) * k * n;
        return Array.from({ length: k }, (_, d) => a[p + i * k + d]! * b[q + d * n + j]!).reduce((s, v) => s + v, 0n);
      });
      expect(matmulPlain(x, y)).toEqual(tensorOf(shape, x.width, values));
      expect(matmul(x, y)).toEqual(matmulPlain(x, y));
    }),
    { numRuns: 300 },
  );
});

describe.each([
  1, 8, 15, 16, 17, 31, 32, 33, 40, 44, 45, 48, 56, 57, 63, 64,
])("%d bits: WebAssembly equals plain", (width) => {
  test.each([
    [1, 64, 64],
    [1, 65, 33],
    [2, 1, 1025],
    [3, 1025, 17],
    [5, 63, 16],
    [7, 513, 1],
    [8, 31, 15],
    [9, 258, 270],
    [300, 7, 5],
    [25, 515, 18],
  ])("%dx%dx%d", (m, k, n) => {
    const x = randomTensor([m, k], width, 17 * m + k);
    sameData(matmul(x, randomTensor([k, n], width, n)), matmulPlain(x, randomTensor([k, n], width, n)));
    for (const bits of [2, 8, 11, 12, 16, 17, 24, 32, 40]) {
      const w = randomIntegers([k, n], bits, n + bits);
      sameData(matmulInteger(x, w), matmulIntegerPlain(x, w));
    }
  });

  test("extreme values", () => {
    const top = 1n << BigInt(width - 1);
    // Digits of all ones, of all their least values, and of alternating ones.
    const patterns = [top, top - 1n, 2n * top - 1n, 0n];
    for (const bits of [10, 11, 12, 16])
      patterns.push(BigInt.asUintN(width, ((2n ** 64n - 1n) / (2n ** BigInt(bits) - 1n)) << BigInt(bits - 1)));
    for (const value of patterns) {
      const x = filled([2, 1030], width, value);
      for (const weight of [-32768, 32767, -32767, 1023, -1024, 1024, 127, -128, 0, 1]) {
        const w = intTensor([1030, 3], new Float64Array(3090).fill(weight));
        sameData(matmulInteger(x, w), matmulIntegerPlain(x, w));
      }
      // Ends of what two parts of 16 bits hold, and halves between two high parts.
      const wide = [2 ** 31 - 2 ** 15 - 1, 2 ** 31 - 2 ** 15, 1 - 2 ** 31, 2 ** 15, -(2 ** 15) - 1, 3 * 2 ** 15];
      for (const weight of wide) {
        const w = intTensor([1030, 3], new Float64Array(3090).fill(weight));
        sameData(matmulInteger(x, w), matmulIntegerPlain(x, w));
      }
      const y = filled([1030, 3], width, value);
      sameData(matmul(x, y), matmulPlain(x, y));
      // Enough rows for digits of both.
      const rows = filled([24, 1030], width, value);
      sameData(matmul(rows, y), matmulPlain(rows, y));
    }
  });
});

test("batches go through WebAssembly too", () => {
  for (const width of [32, 64]) {
    const x = randomTensor([2, 3, 17, 20], width, 1);
    const y = randomTensor([3, 20, 9], width, 2);
    const w = randomIntegers([2, 1, 20, 9], 16, 3);
    sameData(matmul(x, y), matmulPlain(x, y));
    sameData(matmulInteger(x, w), matmulIntegerPlain(x, w));
    sameData(matmul(x, randomTensor([20, 9], width, 4)), matmulPlain(x, randomTensor([20, 9], width, 4)));
  }
});

test("weights are packed anew for another shape of the same data", () => {
  for (const bits of [16, 24]) {
    const w = randomIntegers([20, 80], bits, 5);
    const turned = intTensor([80, 20], w.data);
    for (const weight of [w, turned, w]) {
      const x = randomTensor([3, weight.shape[0]!], 64, 6);
      sameData(matmulInteger(x, weight), matmulIntegerPlain(x, weight));
    }
  }
});

test("deep and tall products go through the memory in parts", () => {
  const x = randomTensor([3, 600_000], 64, 7);
  const w = randomIntegers([600_000, 2], 16, 8);
  sameData(matmulInteger(x, w), matmulIntegerPlain(x, w));
  const tall = randomTensor([700, 33], 40, 9);
  const wide = randomIntegers([33, 1100], 9, 10);
  sameData(matmulInteger(tall, wide), matmulIntegerPlain(tall, wide));
});

test("digits of both operands go through the memory in parts", () => {
  for (const width of [9, 37]) {
    const [x, y] = [randomTensor([530, 9], width, 7), randomTensor([9, 600], width, 8)];
    sameData(matmul(x, y), matmulPlain(x, y));
  }
});

test("ghosts, empty products and what does not multiply", () => {
  const x = randomTensor([2, 30, 40], 64, 1);
  const unknown = intTensor([40, 50], undefined);
  expect(matmulInteger(x, unknown)).toEqual(metaTensor([2, 30, 50], 64));
  expect(matmulInteger(metaTensor([2, 30, 40], 64), randomIntegers([40, 50], 8, 1))).toEqual(
    metaTensor([2, 30, 50], 64),
  );
  expect(matmul(x, metaTensor([40, 50], 64))).toEqual(metaTensor([2, 30, 50], 64));
  expect(matmul(metaTensor([0, 4], 64), metaTensor([4, 2], 64))).toEqual(metaTensor([0, 2], 64));
  expect(matmul(ringTensor([2, 0], 8, new Uint32Array(0)), ringTensor([0, 2], 8, new Uint32Array(0)))).toEqual(
    filled([2, 2], 8, 0n),
  );
  expect(() => matmul(metaTensor([2, 3], 8), metaTensor([3, 2], 9))).toThrow(/8 bits.*9/);
  expect(() => matmul(metaTensor([2, 3], 8), metaTensor([4, 2], 8))).toThrow(/do not multiply/);
  expect(() => matmul(metaTensor([3], 8), metaTensor([3, 2], 8))).toThrow(/do not multiply/);
  expect(() => matmul(metaTensor([2, 2, 3], 8), metaTensor([3, 3, 2], 8))).toThrow(/do not broadcast/);
});

test.each([
  ["products by digits", kernelBase64, kernelBytes, kernelSha256],
  ["products of residues", residuesBase64, residuesBytes, residuesSha256],
  ["ChaCha20", chachaBase64, chachaBytes, chachaSha256],
])("the module of %s is what its checksum says, and small enough for a browser's main thread", (_, base64, size, sha256) => {
  const bytes = Buffer.from(base64, "base64");
  expect(bytes.length).toBe(size);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
  expect(size).toBeLessThanOrEqual(4096);
});
