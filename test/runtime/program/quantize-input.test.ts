import fc from "fast-check";
import { expect, test } from "vitest";
import { outsideBounds, quantizeInput } from "../../../runtime/program/quantize-input.ts";
import type { Fixed } from "../../../runtime/protocols/kit/define-protocol.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";

const within = (lo: number, hi: number, scale: number, size = 1): Fixed => ({
  shape: [size],
  width: 40,
  scale,
  lo,
  hi,
});
const quantized = (declared: Fixed, ...values: readonly number[]) =>
  quantizeInput(Float64Array.from(values), { ...declared, shape: [values.length] });

test("values within the bounds are rounded to the nearest integer that is within them too", () => {
  const arbitrary = fc.record({
    lo: fc.double({ min: -1000, max: 0, noNaN: true }),
    hi: fc.double({ min: 0, max: 1000, noNaN: true }),
    scale: fc.integer({ min: 0, max: 20 }),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(arbitrary, ({ lo, hi, scale, at }) => {
      const declared = within(lo, hi, scale);
      const x = Math.min(hi, lo + at * (hi - lo));
      const { integers, excess } = quantized(declared, x);
      expect(excess).toBeUndefined();
      expect(outsideBounds(integers, declared)).toBe(0);
      // Rounding to nearest is off by half a unit, and by one at most where the nearest is beyond a bound.
      expect(Math.abs(integers.data![0]! - x * 2 ** scale)).toBeLessThan(1);
    }),
  );
});

test("values beyond are counted, the farthest is named, and all become the bound", () => {
  const { integers, excess } = quantized(within(-2, 1, 4), -2, 1, 1.5, -2.75, 0.5);
  expect(excess).toEqual({ count: 2, worst: -2.75 });
  expect([...integers.data!]).toEqual([-32, 16, 16, -32, 8]);
});

test.each([NaN, Infinity, -Infinity])("%d is beyond every bound", (x) => {
  expect(quantized(within(-1e9, 1e9, 0), 3, x, -2e9).excess).toEqual({ count: 2, worst: x });
});

test("single precision may exceed a proven bound by its own rounding, which counts as the bound", () => {
  const { integers, excess } = quantized(within(0, 1, 30), Math.fround(1 + 2 ** -22), -(2 ** -22));
  expect(excess).toBeUndefined();
  expect([...integers.data!]).toEqual([2 ** 30, 0]);
  expect(quantized(within(0, 1, 30), 1 + 2 ** -18).excess).toEqual({ count: 1, worst: 1 + 2 ** -18 });
});

test("bounds without an integer between them hold the nearest one", () => {
  expect([...quantized(within(0.3, 0.4, 0), 0.35).integers.data!]).toEqual([0]);
  expect(quantized(within(0.3, 0.4, 0), 2).excess).toEqual({ count: 1, worst: 2 });
});

test("integers that a program receives are held to the same bounds", () => {
  const declared = within(-2, 1, 2, 5);
  expect(outsideBounds(intTensor([5], Float64Array.of(-8, 4, 0, 1, -1)), declared)).toBe(0);
  expect(outsideBounds(intTensor([5], Float64Array.of(-9, 5, 0.5, NaN, 0)), declared)).toBe(4);
});
