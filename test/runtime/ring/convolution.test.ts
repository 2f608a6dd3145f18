import fc from "fast-check";
import { expect, test } from "vitest";
import { type ConvolutionGeometry, convolve, convolveInteger, sumWindows } from "../../../runtime/ring/convolution.ts";
import { intTensor, metaTensor, type Shape, sizeOf } from "../../../runtime/ring/tensor.ts";
import { windowLayoutOf } from "../../../runtime/ring/windows.ts";
import { randomTensor, tensorOf, valuesOf } from "./reference.ts";

interface Case {
  readonly batch: number;
  /** Channels of a group, of x and of the result. */
  readonly depth: number;
  readonly perGroup: number;
  readonly spatial: Shape;
  readonly kernel: Shape;
  readonly how: ConvolutionGeometry;
}

const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 3 }).chain((rank) => {
  const axis = (max: number) => fc.array(fc.integer({ min: 1, max }), { minLength: rank, maxLength: rank });
  return fc
    .record({
      batch: fc.integer({ min: 1, max: 2 }),
      depth: fc.integer({ min: 1, max: 3 }),
      perGroup: fc.integer({ min: 1, max: 3 }),
      group: fc.integer({ min: 1, max: 3 }),
      spatial: axis(5),
      kernel: axis(3),
      strides: axis(3),
      dilations: axis(2),
      pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2 * rank, maxLength: 2 * rank }),
    })
    .map(({ batch, depth, perGroup, spatial, kernel, ...how }) => ({ batch, depth, perGroup, spatial, kernel, how }))
    .filter(({ spatial, kernel, how: { pads, dilations } }) =>
      spatial.every((n, k) => (kernel[k]! - 1) * dilations[k]! < n + pads[k]! + pads[k + rank]!),
    );
});

const positions = (shape: Shape): number[][] =>
  shape.reduce<number[][]>(
    (all, extent) => all.flatMap((head) => Array.from({ length: extent }, (_, i) => [...head, i])),
    [[]],
  );
const flat = (position: readonly number[], shape: Shape) =>
  position.reduce((sum, p, axis) => sum * shape[axis]! + p, 0);

/** By the definition, element by element. */
function naive({ batch, depth, perGroup, spatial, kernel, how }: Case, x: bigint[], w: bigint[], counts: Shape) {
  const outputs = perGroup * how.group;
  return positions([batch, outputs, ...counts]).map(([n, m, ...window]) => {
    const first = Math.floor(m! / perGroup) * depth;
    return positions([depth, ...kernel]).reduce((sum, [c, ...offset]) => {
      const position = window.map((o, k) => o * how.strides[k]! - how.pads[k]! + offset[k]! * how.dilations[k]!);
      if (position.some((p, k) => p < 0 || p >= spatial[k]!)) return sum;
      const at = flat([n!, first + c!, ...position], [batch, depth * how.group, ...spatial]);
      return sum + x[at]! * w[flat([m!, c!, ...offset], [outputs, depth, ...kernel])]!;
    }, 0n);
  });
}

test("convolutions are their definition, in every ring, one to three axes, groups, strides, padding, dilations", () => {
  fc.assert(
    fc.property(cases, fc.constantFrom(20, 32, 44, 64), fc.nat(), (each, width, seed) => {
      const { batch, depth, perGroup, spatial, kernel, how } = each;
      const x = randomTensor([batch, depth * how.group, ...spatial], width, seed);
      const w = randomTensor([perGroup * how.group, depth, ...kernel], width, seed + 1);
      const { counts } = windowLayoutOf(spatial, { ...how, kernel });
      const shape = [batch, perGroup * how.group, ...counts];
      const expected = tensorOf(shape, width, naive(each, valuesOf(x), valuesOf(w), counts));
      expect(convolve(x, w, how)).toEqual(expected);
      expect(convolve(metaTensor(x.shape, width), w, how)).toEqual(metaTensor(shape, width));

      const whole = valuesOf(w).map((v) => Number(BigInt.asIntN(12, v)));
      const known = intTensor(w.shape, Float64Array.from(whole));
      const product = naive(each, valuesOf(x), whole.map(BigInt), counts);
      expect(convolveInteger(x, known, how)).toEqual(tensorOf(shape, width, product));
      expect(convolveInteger(x, intTensor(w.shape, undefined), how)).toEqual(metaTensor(shape, width));
    }),
    { numRuns: 60 },
  );
});

test("sums over windows are convolutions of each channel with ones", () => {
  fc.assert(
    fc.property(cases, fc.constantFrom(20, 44), fc.nat(), ({ batch, depth, spatial, kernel, how }, width, seed) => {
      const x = randomTensor([batch, depth, ...spatial], width, seed);
      const ones = intTensor([depth, 1, ...kernel], new Float64Array(depth * sizeOf(kernel)).fill(1));
      const expected = convolveInteger(x, ones, { ...how, group: depth });
      expect(sumWindows(x, { ...how, kernel })).toEqual(expected);
      expect(sumWindows(metaTensor(x.shape, width), { ...how, kernel })).toEqual(metaTensor(expected.shape, width));
    }),
    { numRuns: 30 },
  );
});

test("more windows than one block holds", () => {
  const how = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 };
  const each: Case = { batch: 1, depth: 16, perGroup: 9, spatial: [24, 24], kernel: [3, 3], how };
  const x = randomTensor([1, 16, 24, 24], 44, 5);
  const w = randomTensor([9, 16, 3, 3], 44, 6);
  expect(convolve(x, w, how)).toEqual(tensorOf([1, 9, 24, 24], 44, naive(each, valuesOf(x), valuesOf(w), [24, 24])));
});

test("what does not fit is refused", () => {
  const how = { strides: [1], pads: [0, 0], dilations: [1], group: 2 };
  expect(() => convolve(metaTensor([1, 3, 4], 20), metaTensor([2, 2, 2], 20), how)).toThrow(/2 groups/);
  expect(() => convolve(metaTensor([1, 4, 1], 20), metaTensor([2, 2, 2], 20), how)).toThrow(/does not fit/);
});
