import { expect, it } from "vitest";
import { seededServerShare } from "../../../../runtime/protocols/boundary/seeded-server-share.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

const specOf = (width: number) => ({
  operands: [fixed([5, 5], 12, -4, 4)],
  result: fixed([5, 5], 12, -4, 4, width),
  attrs: {},
});

it("shares the server's values without traffic, 200 seeds", () => {
  for (let trial = 0; trial < 200; trial++) {
    const x = quantizeToGrid(reals(25, -4, 4, trial), 12);
    const outcome = execute(seededServerShare, specOf([16, 32, 44, 64][trial % 4]!), [x], { trial });
    expect(Array.from(outcome.values)).toEqual(Array.from(x, (v) => v + 0));
    expect(outcome.metered).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 });
  }
  expect(costOf(seededServerShare, specOf(44))).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: 0,
  });
});
