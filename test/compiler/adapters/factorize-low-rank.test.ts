import { expect, it } from "vitest";
import { factorizeLowRank } from "../../../compiler/adapters/factorize-low-rank.ts";
import { matmulOf } from "../../../ir/ops/helpers/matmul.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";

const draw = (rows: number, columns: number, seed: number, size = 1): Tensor =>
  tensor([rows, columns], Float64Array.from(numbers(rows * columns, seed, size)));
const far = (a: Tensor, b: Tensor): number => Math.max(...a.data.map((value, at) => Math.abs(value - b.data[at]!)));

it.each([
  [24, 40, 3],
  [40, 24, 3],
  [16, 16, 16],
  [5, 9, 1],
])("[%i, %i] of rank %i is found exactly", (rows, columns, rank) => {
  const product = matmulOf(draw(rows, rank, 1), draw(rank, columns, 2));
  const { a, b, residual } = factorizeLowRank(product, rank);
  expect([a.shape, b.shape]).toEqual([
    [rows, rank],
    [rank, columns],
  ]);
  expect(residual).toBeLessThan(1e-13);
  expect(far(matmulOf(a, b), product)).toBeLessThan(1e-12);
  // Orthogonal columns with the length of a drawn A.
  const squares = matmulOf(tensor([rank, rows], transposed(a)), a);
  expect(far(squares, tensor([rank, rank], identity(rank)))).toBeLessThan(1e-13);
});

const transposed = ({ shape, data }: Tensor): Float64Array => {
  const [rows, columns] = shape as [number, number];
  return Float64Array.from(data, (_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!);
};
const identity = (rank: number): Float64Array =>
  Float64Array.from({ length: rank * rank }, (_, at) => (at % (rank + 1) === 0 ? 1 / 3 : 0));

it("pads a lower rank with zeros, so that only r is public", () => {
  const product = matmulOf(draw(12, 2, 3), draw(2, 10, 4));
  const { a, b, residual } = factorizeLowRank(product, 5);
  expect([a.shape, b.shape]).toEqual([
    [12, 5],
    [5, 10],
  ]);
  expect(residual).toBeLessThan(1e-13);
  expect(factorizeLowRank(tensor([4, 4], new Float64Array(16)), 2).residual).toBe(0);
});

it("reports noise as a residual of its own size, and detects a higher rank", () => {
  const product = matmulOf(draw(64, 4, 5), draw(4, 48, 6));
  const noise = draw(64, 48, 7, 1e-5);
  const noisy = { shape: product.shape, data: product.data.map((value, at) => value + noise.data[at]!) };
  const size = (data: Float64Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
  // Eckart and Young: no product of rank 4 is nearer than the singular values after the fourth.
  const floor = size(noise.data) / size(noisy.data);
  expect(factorizeLowRank(noisy, 4).residual).toBeLessThan(1.01 * floor);
  expect(factorizeLowRank(noisy, 4).residual).toBeGreaterThan(0.5 * floor);
  expect(factorizeLowRank(noisy, 3).residual).toBeGreaterThan(0.05);
  expect(factorizeLowRank(draw(20, 20, 8), 4).residual).toBeGreaterThan(0.3);
});
