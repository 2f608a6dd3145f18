import { expect, it } from "vitest";
import { digitBits, digitComparisonBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { maskedRelu } from "../../../../runtime/protocols/nonlinear/masked-relu.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "../../../harness/execute-protocol.ts";

const specOf = (count: number, from: number, to: number, lo: number, hi: number, width: number): Spec => ({
  operands: [fixed([count], from, lo, hi)],
  result: fixed([count], to, 0, Math.max(hi, 0), width),
  attrs: {},
});

it("is max(x, 0), exactly at equal scales and to one unit when it drops bits; 240 seeds; counted = metered", () => {
  const specs = [
    specOf(80, 12, 12, -32, 32, 40),
    specOf(80, 14, 10, -32, 32, 30),
    specOf(80, 8, 12, -32, 32, 30),
    specOf(80, 12, 12, -1, 5, 24),
    specOf(80, 0, 0, -3, 3, 64),
    specOf(80, 12, 12, -60000, 60000, 50),
  ];
  for (let trial = 0; trial < 240; trial++) {
    const spec = specs[trial % specs.length]!;
    const { lo, hi, scale } = spec.operands[0]!;
    const x = reals(80, lo, hi, trial);
    x[3] = 2 ** -scale;
    x[4] = -(2 ** -scale);
    const outcome = execute(maskedRelu, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const exact = quantizeToGrid(x, scale).map((v) => Math.max(0, v));
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(maskedRelu, spec));
  }
});

it("costs CMP_MDC, two opened bits and MUX (protocols.md 8)", () => {
  const spec = specOf(8, 12, 12, -32, 32, 40);
  const n = resolveWidths(maskedRelu, spec).operands[0]!.width;
  const digits = Math.ceil((n - 1) / digitBits(n - 1));
  const compare = digitComparisonBits(n - 1, digitBits(n - 1)) + 1;
  // MUX in a wider ring: the lift 2(m − n), then γ, γr and γ·msb r.
  const mux = 2 * (40 - n) + 40 + 40 + (40 - n);
  expect(costOf(maskedRelu, spec)).toEqual({
    rounds: 2,
    clientToServer: 2 * digits - 1 + 1,
    serverToClient: 2 * digits - 1 + 1,
    dealerToServer: compare + mux,
  });
});

it("refuses a wire that comparisons do not take", () => {
  expect(() => resolveWidths(maskedRelu, specOf(8, 12, 12, -(2 ** 20), 1, 40))).toThrow(/comparisons take at most 31/);
});
