import { expect, it } from "vitest";
import { bitExtend } from "../../../../runtime/protocols/truncation/bit-extend.ts";
import { bytes, costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, width: number) => ({
  operands: [fixed([count], 0, 0, 1)],
  result: fixed([count], 0, 0, 1, width),
  attrs: {},
});

it("is the number 0 or 1 in any ring, over 1,280 draws", () => {
  for (let trial = 0; trial < 20; trial++) {
    const bits = Float64Array.from({ length: 64 }, (_, k) => (k * (trial + 3)) & 1);
    const outcome = execute(bitExtend, specOf(64, [2, 13, 33, 64][trial % 4]!), [bits], { trial });
    expect(outcome.values).toEqual(bits);
  }
});

it("costs the width in dealer bits and nothing online (protocols.md 1.3, B2A)", () => {
  const cost = costOf(bitExtend, specOf(8, 13));
  expect(cost).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: bytes(8 * 13) });
});

it("takes Booleans only", () => {
  const wide = { ...specOf(1, 8), operands: [fixed([1], 0, 0, 1, 4)] };
  expect(bitExtend.refuses?.(wide)).toMatch(/Booleans only/);
  expect(() => resolveWidths(bitExtend, specOf(1, 8))).not.toThrow();
});
