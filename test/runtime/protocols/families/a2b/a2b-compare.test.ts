import { expect, it } from "vitest";
import { a2bCompare, a2bComparePublic } from "../../../../../runtime/protocols/families/a2b/a2b-compare.ts";
import {
  bytes,
  costOf,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
} from "../../../../harness/execute-protocol.ts";

const specOf = (count: number, kind: string) => ({
  operands: [fixed([count], 16, -100, 100), fixed([count], 16, -100, 100)],
  result: fixed([count], 0, 0, 1, 1),
  attrs: { kind },
});
const orders: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  less: (x, y) => x < y,
  "less-or-equal": (x, y) => x <= y,
  greater: (x, y) => x > y,
  "greater-or-equal": (x, y) => x >= y,
};

it.each(Object.entries(orders))("%s, exactly, equal numbers and neighbours among them", (kind, holds) => {
  for (let trial = 0; trial < 16; trial++) {
    const [x, y] = [reals(16, -100, 100, trial), reals(16, -100, 100, trial + 50).reverse()];
    [0, 1, -1].forEach((by, k) => {
      y[k + 3] = Math.round(x[k + 3]! * 2 ** 16) / 2 ** 16 + by / 2 ** 16;
    });
    const [p, q] = [quantizeToGrid(x, 16), quantizeToGrid(y, 16)];
    const outcome = execute(a2bCompare, specOf(16, kind), [p, q], { trial });
    expect([...outcome.values]).toEqual([...p].map((v, k) => Number(holds(v, q[k]!))));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("takes 7 rounds and 2560 bits: CrypTen's comparison without its cast (protocols.md 1.3)", () => {
  for (const protocol of [a2bCompare, a2bComparePublic]) {
    expect(costOf(protocol, specOf(8, "less"))).toEqual({
      rounds: 7,
      clientToServer: bytes((8 * (2688 - 128)) / 2),
      serverToClient: bytes((8 * (2688 - 128)) / 2),
      dealerToServer: bytes(8 * 832),
    });
  }
});

it("refuses a relation that is not an order", () => {
  expect(() => resolveWidths(a2bCompare, specOf(8, "equal"))).toThrow(/order relations, not equal/);
});
