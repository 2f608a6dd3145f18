import { expect, it } from "vitest";
import { a2bRelu } from "../../../../../runtime/protocols/families/a2b/a2b-relu.ts";
import {
  bytes,
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";

const specOf = (count: number, from: number, to: number, bound: number) => ({
  operands: [fixed([count], from, -bound, bound)],
  result: fixed([count], to, 0, bound, 64),
  attrs: {},
});

it("is max(x, 0), exactly at equal scales and to one unit when it drops bits; 60 draws of shares", () => {
  for (let trial = 0; trial < 60; trial++) {
    const spec = specOf(20, 16, [16, 12][trial % 2]!, [8, 2 ** 30][trial % 2]!);
    const { lo, hi } = spec.operands[0]!;
    const x = reals(20, lo, hi, trial);
    x[3] = 2 ** -16;
    x[4] = -(2 ** -16);
    const outcome = execute(a2bRelu, spec, [x], { trial });
    const exact = quantizeToGrid(x, 16).map((v) => Math.max(0, v));
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(a2bRelu, spec));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("costs 2944 bits and 9 rounds, as CrypTen's (protocols.md 1.3); the dealer 832 of carries, 64 of the bit, 64 of the product", () => {
  expect(costOf(a2bRelu, specOf(8, 16, 16, 8))).toEqual({
    rounds: 9,
    clientToServer: bytes((8 * 2944) / 2),
    serverToClient: bytes((8 * 2944) / 2),
    dealerToServer: bytes(8 * (832 + 64 + 64)),
  });
});
