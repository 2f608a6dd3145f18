import { expect, it } from "vitest";
import { a2bCast } from "../../../../../runtime/protocols/families/a2b/a2b-cast.ts";
import {
  bytes,
  costOf,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
} from "../../../../harness/execute-protocol.ts";

const specOf = (count: number, scale: number) => ({
  operands: [fixed([count], 0, 0, 1)],
  result: fixed([count], scale, 0, 1, 64),
  attrs: { to: "f32" },
});

it("is 0 and 1, exactly, at every scale; 60 draws of shares", () => {
  for (let trial = 0; trial < 60; trial++) {
    const c = quantizeToGrid(reals(20, 0, 1, trial), 0);
    const outcome = execute(a2bCast, specOf(20, [0, 16, 5][trial % 3]!), [c], { trial });
    expect([...outcome.values]).toEqual([...c]);
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("opens a word for a bit: 128 bits and a round, which with the comparison make 2688 and 8 (protocols.md 1.3)", () => {
  expect(costOf(a2bCast, specOf(8, 16))).toEqual({
    rounds: 1,
    clientToServer: bytes((8 * 128) / 2),
    serverToClient: bytes((8 * 128) / 2),
    dealerToServer: bytes(8 * 64),
  });
});

it("refuses an operand that is not Boolean", () => {
  const spec = specOf(4, 16);
  expect(() => resolveWidths(a2bCast, { ...spec, operands: [fixed([4], 0, 0, 2)] })).toThrow(
    /Booleans to numbers only/,
  );
});
