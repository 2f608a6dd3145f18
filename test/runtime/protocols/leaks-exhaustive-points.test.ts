import { describe, expect, it } from "vitest";
import { maskAndOpen } from "../../../runtime/protocols/boundary/open.ts";
import { belowMask } from "../../../runtime/protocols/comparison/comparison.ts";
import { beaverProduct } from "../../../runtime/protocols/families/beaver/beaver.ts";
import {
  dpfComparison,
  signExtend,
  truncateReduce,
  truncateWithSlack,
} from "../../../runtime/protocols/families/sigma/sigma-core.ts";
import { entryAt } from "../../../runtime/protocols/kit/masked-values.ts";
import { dpfLookup } from "../../../runtime/protocols/lookup/dpf-lookup.ts";
import { reshape } from "../../../runtime/ring/layout-ops.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";
import { CHUNK, sameViews } from "../../harness/enumerate-views.ts";
import { fixed } from "../../harness/execute-protocol.ts";
import { describeTwoParties } from "../../harness/exhaustive-leaks.ts";
import { rowAt, rowKey } from "../../harness/exhaustive-rows.ts";
import { breaks } from "../../harness/leak-breaks.ts";

// SIGMA's and CrypTen's steps, and lookups by point functions. Where a key occurs (7 bits and more), it is left out of
// the view, and all that is sent beside it is enumerated; below 7 bits comparisons are truth tables, and all is.

const dealt = "what the dealer sends is not masked";
const bit = "a selecting bit is opened unmasked";

describeTwoParties([
  {
    name: "product by a triple, 2 bits",
    inputs: [2, 2],
    *run(party, input) {
      return yield* beaverProduct(party, input(0, 2), input(1, 2));
    },
    breaks: ["mask is 0", "mask has lost its low bit", dealt],
  },
  {
    name: "SIGMA's truncation to the ring that is left, 2 of 3 bits",
    inputs: [3],
    *run(party, input) {
      return yield* truncateReduce(party, yield* maskAndOpen(party, input(0, 3)), 2);
    },
    breaks: ["mask is 0", bit, dealt],
  },
  {
    name: "SIGMA's sign extension, 2 to 4 bits",
    inputs: [2],
    *run(party, input) {
      return yield* signExtend(party, yield* maskAndOpen(party, input(0, 2)), 4);
    },
    breaks: ["mask is 0", bit, dealt],
  },
  {
    name: "SIGMA's truncation with slack, 1 of 3 bits",
    inputs: [3],
    *run(party, input) {
      return yield* truncateWithSlack(party, yield* maskAndOpen(party, input(0, 3)), 1);
    },
    tried: 3,
    breaks: ["mask is 0", bit, dealt],
  },
  {
    name: "lookup of a bit by a point function, 7 bits of index",
    inputs: [7],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 7));
      const operands = [fixed([CHUNK], 0, 0, 127, 7), fixed([128], 0, 0, 1, 1)];
      const spec = { operands, result: fixed([CHUNK], 0, 0, 1, 1), attrs: { bits: 7, fraction: 0 } };
      return yield* dpfLookup.run(party, spec, x, intTensor([128], new Float64Array(128).fill(1, 60)));
    },
    tried: 2,
    key: [0],
    // What the dealer sends matters together with the key: leaks.test.ts looks at both.
    breaks: ["mask is 0"],
  },
  {
    name: "below the mask by a point function, 7 bits, opened under a mask",
    inputs: [7],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 7));
      const less = yield* belowMask(party, reshape(x.opened, [1, CHUNK]), x.mask.secret, dpfComparison);
      return yield* maskAndOpen(party, entryAt(less, 0));
    },
    tried: 4,
    key: [0],
    breaks: ["mask is 0", bit],
  },
]);

describe("rows of a table of two at places of the client's, 3 bits", () => {
  const bodies = [0, 1].map(rowAt);

  it("tells the server nothing beside its key, and the dealer nothing but its key", () => {
    expect(sameViews(bodies, "server", undefined, rowKey)).toBe(true);
    expect(sameViews(bodies, "dealer", undefined, rowKey)).toBe(true);
  });
  it("does when the dealer's row is not masked", () => {
    expect(sameViews(bodies, "server", breaks["the zero sharing is 0"], rowKey)).toBe(false);
  });
});
