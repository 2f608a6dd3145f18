import { describe, expect, it } from "vitest";
import {
  sigmaMatmul,
  sigmaMul,
  sigmaSharedMatmul,
  sigmaSharedMul,
} from "../../../../../runtime/protocols/families/sigma/sigma-product.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../../harness/execute-protocol.ts";

const matmul = (m: number, k: number, n: number, width: number) => ({
  operands: [fixed([m, k], 12, -8, 8), fixed([k, n], 12, -4, 4)],
  result: fixed([m, n], 24, -32 * k, 32 * k, width),
  attrs: {},
});
const mul = (count: number, width: number) => ({
  operands: [fixed([count], 12, -8, 8), fixed([count], 12, -4, 4)],
  result: fixed([count], 24, -32, 32, width),
  attrs: {},
});

describe.each([sigmaMatmul, sigmaSharedMatmul])("$name", (protocol) => {
  it("is exact; counted = metered", () => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [3, 5, 2],
      [9, 33, 4],
    ] as const) {
      const x = quantizeToGrid(reals(m * k, -8, 8, m), 12);
      const w = quantizeToGrid(reals(k * n, -4, 4, n), 12);
      // A fixed weight's integers are given as they are.
      const outcome = execute(protocol, matmul(m, k, n, 50), [x, w], { trial: k });
      expect(outcome.metered).toEqual(outcome.counted);
      outcome.values.forEach((v, at) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[Math.floor(at / n) * k + j]! * w[j * n + (at % n)]!;
        expect(v).toBe(sum);
      });
    }
  });

  it("asks for what a key of SIGMA's holds: the masks of both operands and of the result", () => {
    const cost = costOf(protocol, matmul(2, 4, 8, 40));
    expect(cost).toMatchObject({ rounds: 0, clientToServer: 0, dealerToServer: 5 * (2 * 4 + 4 * 8 + 2 * 8) });
  });
});

describe.each([sigmaMul, sigmaSharedMul])("$name", (protocol) => {
  it("is exact over 1,000 masks; counted = metered", () => {
    const x = quantizeToGrid(reals(1000, -8, 8, 1), 12);
    const y = quantizeToGrid(reals(1000, -4, 4, 2), 12);
    const outcome = execute(protocol, mul(1000, 50), [x, y], { trial: 3 });
    expect(outcome.metered).toEqual(outcome.counted);
    outcome.values.forEach((v, k) => {
      expect(v).toBe(x[k]! * y[k]! + 0);
    });
  });
});
