import { expect, it } from "vitest";
import { beaverMatmul, beaverWeightMatmul } from "../../../../../runtime/protocols/families/beaver/beaver-matmul.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../../harness/execute-protocol.ts";

const specOf = (m: number, k: number, n: number, width: number) => ({
  operands: [fixed([m, k], 10, -8, 8), fixed([k, n], 10, -8, 8)],
  result: fixed([m, n], 20, -64 * k, 64 * k, width),
  attrs: {},
});

it.each([beaverMatmul, beaverWeightMatmul])("$name: the product, exactly, over shapes and rings", (protocol) => {
  let trial = 0;
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 5, 2],
    [1, 40, 7],
    [9, 2, 6],
    [8, 8, 8],
  ] as const) {
    for (const width of [32, 33, 44, 64, 64, 64]) {
      const x = quantizeToGrid(reals(m * k, -8, 8, ++trial), 10);
      const w = quantizeToGrid(reals(k * n, -8, 8, trial + 500).reverse(), 10);
      const outcome = execute(protocol, specOf(m, k, n, width), [x, w], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      outcome.values.forEach((v, at) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[Math.floor(at / n) * k + j]! * w[j * n + (at % n)]!;
        expect(v).toBe(sum + 0);
      });
    }
  }
});

it.each([beaverMatmul, beaverWeightMatmul])("$name costs LIN_BVR: 2ℓ(MK + KN), ℓ·MN, 1 hop", (protocol) => {
  const [m, k, n] = [4, 16, 8];
  expect(costOf(protocol, specOf(m, k, n, 64))).toEqual({
    rounds: 1,
    clientToServer: 8 * (m * k + k * n),
    serverToClient: 8 * (m * k + k * n),
    dealerToServer: 8 * m * n,
  });
});
