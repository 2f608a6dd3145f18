import { expect, it } from "vitest";
import { maskedOpen } from "../../../../runtime/protocols/boundary/open.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

it("opens x + r of which the parties' shares of r give x back, widths 1 to 64", () => {
  for (let width = 1; width <= 64; width++) {
    for (let trial = 0; trial < 4; trial++) {
      const limit = 2 ** Math.min(width - 1, 50);
      // Truth values are 0 or 1: a ring of one bit has no sign.
      const [lo, hi] = width === 1 ? ([0, 1] as const) : ([-limit, limit - 1] as const);
      const spec = { operands: [fixed([3, 7], 0, lo, hi)], result: fixed([3, 7], 0, lo, hi, width), attrs: {} };
      const x = quantizeToGrid(reals(21, lo, hi, trial), 0);
      const outcome = execute(maskedOpen, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      expect(Array.from(outcome.values)).toEqual(Array.from(x, (v) => v + 0));
      // Both parties hold the same opened value.
      const { client, server } = outcome;
      if (client.kind !== "masked" || server.kind !== "masked") throw new Error("an opening yields a wire");
      expect(client.opened.data).toEqual(server.opened.data);
    }
  }
});

it("costs OPEN n of protocols.md 8: 2n bits, 1 hop, no dealer", () => {
  const spec = { operands: [fixed([8], 0, -1, 1)], result: fixed([8], 0, -1, 1, 37), attrs: {} };
  expect(costOf(maskedOpen, spec)).toEqual({ rounds: 1, clientToServer: 37, serverToClient: 37, dealerToServer: 0 });
});
