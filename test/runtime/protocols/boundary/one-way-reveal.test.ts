import { expect, it } from "vitest";
import type { Share } from "../../../../runtime/core/party.ts";
import { oneWayReveal } from "../../../../runtime/protocols/boundary/one-way-reveal.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

const specOf = (to: string, width: number) => ({
  operands: [fixed([8], 12, -4, 4)],
  result: fixed([8], 12, -4, 4, width),
  attrs: { to },
});

it("shows the value to its reader and to nobody else, 200 seeds", () => {
  for (let trial = 0; trial < 200; trial++) {
    const to = trial % 2 === 0 ? "client" : "server";
    const x = quantizeToGrid(reals(8, -4, 4, trial), 12);
    const outcome = execute(oneWayReveal, specOf(to, [16, 44, 64][trial % 3]!), [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    expect(Array.from(outcome.values)).toEqual(Array.from(x, (v) => v + 0));
    const other = to === "client" ? outcome.server : outcome.client;
    expect((other as Share).tensor.data).toBeUndefined();
    expect(outcome.view[to === "client" ? "server" : "client"]).toEqual([]);
  }
});

it("costs one share, one way", () => {
  expect(costOf(oneWayReveal, specOf("client", 44))).toEqual({
    rounds: 1,
    clientToServer: 0,
    serverToClient: 44,
    dealerToServer: 0,
  });
});
