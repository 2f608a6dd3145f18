import { expect, it } from "vitest";
import { localNot } from "../../../../runtime/protocols/comparison/local-not.ts";
import { costOf, execute, fixed } from "../../../harness/execute-protocol.ts";

const specOf = (width: number) => ({
  operands: [fixed([8], 0, 0, 1)],
  result: fixed([8], 0, 0, 1, width),
  attrs: {},
});

it.each([1, 2, 12, 33, 64])("is 1 − c in a ring of %i bits", (width) => {
  const c = Float64Array.of(0, 1, 1, 0, 0, 0, 1, 1);
  for (let trial = 0; trial < 26; trial++) {
    expect([...execute(localNot, specOf(width), [c], { trial }).values]).toEqual([...c].map((bit) => 1 - bit));
  }
});

it("costs nothing", () => {
  expect(costOf(localNot, specOf(1))).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 });
});
