import { expect, it } from "vitest";
import { dpfLookup } from "../../../../runtime/protocols/lookup/dpf-lookup.ts";
import { costOf, resolveWidths } from "../../../harness/execute-protocol.ts";
import { looksUpExactly, lookupSpec } from "../../../harness/lookup-tests.ts";

looksUpExactly(dpfLookup, [7, 8, 11, 13]);

it("costs a key to each party, the sign to the server and one opening: less than LUT_DPF of protocols.md 8", () => {
  for (const bits of [7, 8, 10, 13]) {
    for (const width of [9, 16, 40]) {
      const key = (bits - 7) * 130 + 128;
      const cost = costOf(dpfLookup, lookupSpec(8, bits, width));
      expect(cost).toEqual({
        rounds: 1,
        clientToServer: width,
        serverToClient: width,
        dealerToServer: key + 2 * width,
        dealerToClient: key,
      });
      const published = (bits - 7) * 128 + 289 + 5 * width;
      expect(cost.dealerToServer + cost.dealerToClient!).toBeLessThan(2 * published);
    }
  }
});

it("refuses an index that is too short or too long", () => {
  expect(() => resolveWidths(dpfLookup, lookupSpec(4, 6, 24))).toThrow(/fits a one-time vector/);
  expect(() => resolveWidths(dpfLookup, lookupSpec(4, 14, 24))).toThrow(/index has 14 bits, at most 13/);
});
