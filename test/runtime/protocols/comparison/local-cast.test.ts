import { expect, it } from "vitest";
import { localCast } from "../../../../runtime/protocols/comparison/local-cast.ts";
import { costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (from: number, to: number, kind = "f32") => ({
  operands: [fixed([5], from, -3, 3)],
  result: fixed([5], to, -3, 3, 24),
  attrs: { to: kind },
});

it.each([
  [0, 12],
  [0, 0],
  [4, 12],
])("is the same number, from %i to %i fractional bits", (from, to) => {
  const x = Float64Array.of(-3, -1, 0, 1, 3);
  for (let trial = 0; trial < 70; trial++) {
    expect([...execute(localCast, specOf(from, to), [x], { trial }).values]).toEqual([...x]);
  }
});

it("wants a ring that is narrower by the bits that it adds, and costs nothing", () => {
  expect(resolveWidths(localCast, specOf(0, 12)).operands[0]!.width).toBe(12);
  expect(costOf(localCast, specOf(0, 12))).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: 0,
  });
});

it("refuses to round", () => {
  expect(() => resolveWidths(localCast, specOf(12, 4))).toThrow(/cannot drop fractional bits/);
  expect(() => resolveWidths(localCast, specOf(4, 4, "i64"))).toThrow(/cannot round/);
});
