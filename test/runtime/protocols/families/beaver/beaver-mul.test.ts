import { expect, it } from "vitest";
import { beaverMul, beaverWeightMul } from "../../../../../runtime/protocols/families/beaver/beaver-mul.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";

const specOf = (count: number, from: number, to: number, width: number) => ({
  operands: [fixed([count], from, -8, 8), fixed([count], from, -8, 8)],
  result: fixed([count], to, -64, 64, width),
  attrs: {},
});

it.each([beaverMul, beaverWeightMul])("$name: within its declared error, 120 draws of shares", (protocol) => {
  for (let trial = 0; trial < 120; trial++) {
    const spec = specOf(30, 16, [16, 32][trial % 2]!, 64);
    const [x, y] = [reals(30, -8, 8, trial), reals(30, -8, 8, trial + 700).reverse()];
    const outcome = execute(protocol, spec, [x, y], { trial });
    const [p, q] = [quantizeToGrid(x, 16), quantizeToGrid(y, 16)];
    const exact = p.map((v, k) => v * q[k]!);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(protocol, spec));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it.each([beaverMul, beaverWeightMul])("$name: 4ℓ bits of each product, ℓ from the dealer, 1 round", (protocol) => {
  for (const width of [33, 64]) {
    expect(costOf(protocol, specOf(8, 16, 32, width))).toEqual({
      rounds: 1,
      clientToServer: 2 * width,
      serverToClient: 2 * width,
      dealerToServer: width,
    });
  }
});
