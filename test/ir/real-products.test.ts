import { expect, it } from "vitest";
import { multiplyReals } from "../../ir/ops/helpers/real-products.ts";

/** Sums in the order of the depth, as the vectors do. */
function product(c: Float64Array, a: Float64Array, b: Float64Array, rows: number, depth: number, columns: number) {
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < depth; k++)
      for (let j = 0; j < columns; j++)
        c[i * columns + j] = c[i * columns + j]! + a[i * depth + k]! * b[k * columns + j]!;
  return c;
}

const wave = (count: number, step: number): Float64Array =>
  Float64Array.from({ length: count }, (_, k) => Math.sin(step * (k + 1)) * 2 ** (k % 9));

it.each([
  [1, 1, 1],
  [3, 5, 7],
  [4, 256, 8],
  [5, 257, 259],
  [129, 3, 4],
  [130, 260, 2],
  [2, 0, 3],
  [0, 4, 3],
])("adds a product of [%i, %i] and %i columns, in the order of the depth", (rows, depth, columns) => {
  const [a, b] = [wave(rows * depth, 0.7), wave(depth * columns, 1.3)];
  const expected = product(wave(rows * columns, 0.2), a, b, rows, depth, columns);
  const found = wave(rows * columns, 0.2);
  multiplyReals(found, a, b, { rows, depth, columns });
  expect(found).toEqual(expected);
});

it("passes on what is no number, of the element alone", () => {
  const found = new Float64Array(4);
  multiplyReals(found, Float64Array.of(1, 2, NaN, 4), Float64Array.of(1, Infinity, 3, 4), {
    rows: 2,
    depth: 2,
    columns: 2,
  });
  expect([...found]).toEqual([7, Infinity, NaN, NaN]);
});
