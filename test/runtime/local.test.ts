import { expect, it } from "vitest";
import { countingParty, noDealerBytes } from "../../runtime/correlations/count.ts";
import { local } from "../../runtime/local.ts";
import type { Share } from "../../runtime/party.ts";
import { fromIntegers } from "../../runtime/ring/index.ts";
import { integers } from "../../runtime/ring/tensor.ts";
import { fixed } from "../harness/protocols.ts";

it("gather: chooses by public indices, and has a shape where they are not known", () => {
  const spec = {
    operands: [fixed([2, 3], 0, 0, 9, 8), fixed([2], 0, 0, 2, 32)],
    result: fixed([2, 2], 0, 0, 9, 8),
    attrs: { axis: 1 },
  };
  const x: Share = { kind: "share", tensor: fromIntegers(integers([2, 3], Float64Array.of(1, 2, 3, 4, 5, 6)), 8) };
  const party = countingParty("client", noDealerBytes());
  const chosen = local.gather(party, spec, x, integers([2], Float64Array.of(-1, 0))) as Share;
  expect(Array.from(chosen.tensor.data!)).toEqual([3, 1, 6, 4]);
  // What counts rounds and bytes knows no numbers.
  const counted = local.gather(party, spec, x, integers([2], undefined)) as Share;
  expect(counted.tensor).toEqual({ ...counted.tensor, shape: [2, 2], width: 8, data: undefined });
});
