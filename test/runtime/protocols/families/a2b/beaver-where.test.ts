import { expect, it } from "vitest";
import { beaverWhere } from "../../../../../runtime/protocols/families/a2b/beaver-where.ts";
import { bytes, costOf, execute, fixed, quantizeToGrid, reals } from "../../../../harness/execute-protocol.ts";

const specOf = (count: number) => ({
  operands: [fixed([count], 0, 0, 1), fixed([count], 16, -8, 8), fixed([count], 16, -8, 8)],
  result: fixed([count], 16, -8, 8, 64),
  attrs: {},
});

it("takes x where the bit is 1, else y, exactly; 60 draws of shares", () => {
  for (let trial = 0; trial < 60; trial++) {
    const c = quantizeToGrid(reals(20, 0, 1, trial), 0);
    const [x, y] = [
      quantizeToGrid(reals(20, -8, 8, trial), 16),
      quantizeToGrid(reals(20, -8, 8, trial + 90), 16).reverse(),
    ];
    const outcome = execute(beaverWhere, specOf(20), [c, x, y], { trial });
    expect([...outcome.values]).toEqual([...c].map((bit, k) => (bit === 1 ? x[k]! : y[k]!)));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("opens a word for the bit and two words for the product, as CrypTen does", () => {
  expect(costOf(beaverWhere, specOf(8))).toEqual({
    rounds: 2,
    clientToServer: bytes(8 * (64 + 128)),
    serverToClient: bytes(8 * (64 + 128)),
    dealerToServer: bytes(8 * (64 + 64)),
  });
});
