import { expect, it } from "vitest";
import { beaverSquare } from "../../../../../runtime/protocols/families/beaver/beaver-square.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";

const specOf = (count: number, to: number) => ({
  operands: [fixed([count], 16, -8, 8)],
  result: fixed([count], to, 0, 64, 64),
  attrs: {},
});

it("squares within its declared error, 120 draws of shares", () => {
  for (let trial = 0; trial < 120; trial++) {
    const spec = specOf(30, [16, 32][trial % 2]!);
    const x = reals(30, -8, 8, trial);
    const outcome = execute(beaverSquare, spec, [x], { trial });
    const exact = quantizeToGrid(x, 16).map((v) => v * v);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(beaverSquare, spec));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("opens its operand once: 2ℓ bits, ℓ from the dealer, 1 round (protocols.md 4)", () => {
  expect(costOf(beaverSquare, specOf(8, 16))).toEqual({
    rounds: 1,
    clientToServer: 64,
    serverToClient: 64,
    dealerToServer: 64,
  });
});
