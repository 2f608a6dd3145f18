import { expect, it } from "vitest";
import { otttLookup } from "../../../../runtime/protocols/lookup/ottt-lookup.ts";
import { costOf, resolveWidths } from "../../../harness/execute-protocol.ts";
import { looksUpExactly, lookupSpec } from "../../../harness/lookup-tests.ts";

looksUpExactly(otttLookup, [1, 3, 5, 7]);

it("costs LUT_OTTT of protocols.md 8: 2^n·m bits from the dealer, whatever the length of an entry", () => {
  for (const bits of [1, 4, 7, 8]) {
    for (const width of [9, 16, 40]) {
      for (const entry of [[], [5]]) {
        expect(costOf(otttLookup, lookupSpec(8, bits, width, entry))).toEqual({
          rounds: 0,
          clientToServer: 0,
          serverToClient: 0,
          dealerToServer: 2 ** bits * width,
        });
      }
    }
  }
});

it("refuses an index that would make the dealer send too much", () => {
  expect(() => resolveWidths(otttLookup, lookupSpec(4, 11, 24))).toThrow(/index has 11 bits, at most 10/);
});
