import { expect, it } from "vitest";
import { knownWeightMatmul, knownWeightMul } from "../../../../runtime/protocols/arithmetic/known-weight.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

const matmulSpec = (m: number, k: number, n: number, width: number) => ({
  operands: [fixed([m, k], 10, -8, 8), fixed([k, n], 0, -1000, 1000)],
  result: fixed([m, n], 10, -8000 * k, 8000 * k, width),
  attrs: {},
});

it("multiplies by the server's matrix exactly, shapes and rings", () => {
  let trial = 0;
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 5, 2],
    [1, 64, 7],
    [17, 2, 9],
  ] as const) {
    for (const width of [31, 32, 33, 44, 64]) {
      const x = quantizeToGrid(reals(m * k, -8, 8, ++trial), 10);
      const w = quantizeToGrid(reals(k * n, -1000, 1000, trial + 500).reverse(), 0);
      const outcome = execute(knownWeightMatmul, matmulSpec(m, k, n, width), [x, w], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      outcome.values.forEach((v, at) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[Math.floor(at / n) * k + j]! * w[j * n + (at % n)]!;
        expect(v).toBe(sum);
      });
    }
  }
});

it("multiplies by the server's vector exactly, 200 seeds", () => {
  const spec = {
    operands: [fixed([4, 6], 10, -8, 8), fixed([6], 0, -1000, 1000)],
    result: fixed([4, 6], 10, -8000, 8000, 40),
    attrs: {},
  };
  for (let trial = 0; trial < 200; trial++) {
    const x = quantizeToGrid(reals(24, -8, 8, trial), 10);
    const w = quantizeToGrid(reals(6, -1000, 1000, trial + 500), 0);
    const outcome = execute(knownWeightMul, spec, [x, w], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    outcome.values.forEach((v, k) => {
      expect(v).toBe(x[k]! * w[k % 6]! + 0);
    });
  }
});

it("costs LIN_PK of protocols.md 8: ℓ·M·K one way, ℓ·M·N from the dealer to the server, 1 hop", () => {
  expect(costOf(knownWeightMatmul, matmulSpec(4, 16, 8, 44))).toEqual({
    rounds: 1,
    clientToServer: (44 * 4 * 16) / 8,
    serverToClient: 0,
    dealerToServer: (44 * 4 * 8) / 8,
  });
});
