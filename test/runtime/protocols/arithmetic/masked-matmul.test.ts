import { expect, it } from "vitest";
import { maskedMatmul } from "../../../../runtime/protocols/arithmetic/masked-matmul.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

const specOf = (m: number, k: number, n: number, width: number) => ({
  operands: [fixed([m, k], 8, -4, 4), fixed([k, n], 8, -4, 4)],
  result: fixed([m, n], 16, -16 * k, 16 * k, width),
  attrs: {},
});

it("multiplies shared matrices exactly, shapes and rings, 36 seeds", () => {
  let trial = 0;
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 5, 2],
    [1, 64, 7],
    [17, 2, 9],
  ] as const) {
    for (const width of [28, 32, 33, 44, 64]) {
      const spec = specOf(m, k, n, width);
      const x = quantizeToGrid(reals(m * k, -4, 4, ++trial), 8);
      const y = quantizeToGrid(reals(k * n, -4, 4, trial + 500).reverse(), 8);
      const outcome = execute(maskedMatmul, spec, [x, y], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      outcome.values.forEach((v, at) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[Math.floor(at / n) * k + j]! * y[j * n + (at % n)]!;
        expect(v).toBe(sum);
      });
    }
  }
});

it("costs LIN_SS of protocols.md 8 for operands already open: ℓ·M·N of the dealer", () => {
  expect(costOf(maskedMatmul, specOf(4, 6, 8, 40))).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: (40 * 4 * 8) / 8,
  });
});
