import type { Share } from "../../../runtime/core/party.ts";
import { seededHandOver, seededTakeOver } from "../../../runtime/protocols/boundary/handed-shares.ts";
import { maskAndOpen } from "../../../runtime/protocols/boundary/open.ts";
import { belowMask, belowThresholds } from "../../../runtime/protocols/comparison/comparison.ts";
import { isZero } from "../../../runtime/protocols/comparison/equality.ts";
import { thresholdOutside } from "../../../runtime/protocols/comparison/threshold-outside.ts";
import { bitToRing, multiplyMasked, selectMasked } from "../../../runtime/protocols/kit/masked-products.ts";
import { liftToRing } from "../../../runtime/protocols/kit/masked-values.ts";
import { otttLookup } from "../../../runtime/protocols/lookup/ottt-lookup.ts";
import { evaluateFourier } from "../../../runtime/protocols/nonlinear/fourier-series.ts";
import { faithfulTruncate } from "../../../runtime/protocols/truncation/faithful-truncate.ts";
import { toIntegers } from "../../../runtime/ring/convert.ts";
import { reshape } from "../../../runtime/ring/layout-ops.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";
import { CHUNK } from "../../harness/enumerate-views.ts";
import { fixed } from "../../harness/execute-protocol.ts";
import { describeTwoParties } from "../../harness/exhaustive-leaks.ts";

// What is left out by size: octaves, exponential, norms, softmax and attention send nothing but openings, comparisons
// and dealt shares of the kinds enumerated here; each mask and each dealt share is fresh, so the views of the parts
// are independent, and the full-width tests watch the composition.

const dealt = "what the dealer sends is not masked";
describeTwoParties([
  {
    name: "open, 4 bits",
    inputs: [4],
    *run(party, input) {
      return yield* maskAndOpen(party, input(0, 4));
    },
    breaks: ["mask is 0", "mask has lost its low bit", "mask is drawn from a quarter of the ring"],
  },
  {
    name: "lift, 3 to 5 bits",
    inputs: [3],
    *run(party, input) {
      return liftToRing(party, yield* maskAndOpen(party, input(0, 3)), 5);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    // The second program takes the same residues over in two queries, and opens the value in each.
    name: "handed over, then taken over twice, 2 bits",
    inputs: [2],
    *run(party, input) {
      const spec = { operands: [fixed([CHUNK], 0, -1, 1, 2)], result: fixed([CHUNK], 0, -1, 1, 2), attrs: {} };
      const kept = yield* seededHandOver.run(party, spec, { kind: "share", tensor: input(0, 2) });
      const residue = toIntegers((kept as Share).tensor);
      for (const query of ["first", "second"]) {
        const taken = yield* seededTakeOver.run(party.at(query), spec, residue);
        yield* maskAndOpen(party.at(query), (taken as Share).tensor);
      }
    },
    breaks: ["mask is 0", "mask has lost its low bit"],
  },
  {
    name: "product of masked values, 2 and 2 to 3 bits",
    inputs: [2, 2],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 2));
      return multiplyMasked(party, x, yield* maskAndOpen(party, input(1, 2)), 3);
    },
    breaks: ["mask is 0", "mask has lost its low bit", dealt],
  },
  {
    name: "select, 2 to 3 bits",
    inputs: [1, 2],
    *run(party, input) {
      const bit = yield* maskAndOpen(party, input(0, 1));
      return selectMasked(party, bit, yield* maskAndOpen(party, input(1, 2)), 3);
    },
    breaks: ["a selecting bit is opened unmasked", dealt],
  },
  {
    name: "bit to ring of 4 bits",
    inputs: [1],
    *run(party, input) {
      return bitToRing(party, yield* maskAndOpen(party, input(0, 1)), 4);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "bit and bit",
    inputs: [1, 1],
    *run(party, input) {
      const a = yield* maskAndOpen(party, input(0, 1));
      return multiplyMasked(party, a, yield* maskAndOpen(party, input(1, 1)), 1);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "zero, 3 bits, one digit",
    inputs: [3],
    *run(party, input) {
      return yield* isZero(party, yield* maskAndOpen(party, input(0, 3)));
    },
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "below, 3 bits, one digit",
    inputs: [3],
    *run(party, input) {
      return yield* belowThresholds(party, yield* maskAndOpen(party, input(0, 3)), [0]);
    },
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "outside of two bounds, 3 bits, one digit",
    inputs: [3],
    *run(party, input) {
      const spec = {
        operands: [fixed([CHUNK], 0, -1, 1, 3)],
        result: fixed([CHUNK], 0, 0, 1, 1),
        attrs: { lo: 0, hi: 0, headroom: 0 },
      };
      return yield* thresholdOutside.run(party, spec, yield* maskAndOpen(party, input(0, 3)));
    },
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "below the mask, 3 bits, digits of 2 and 1",
    inputs: [3],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 3));
      return yield* belowMask(party, reshape(x.opened, [1, CHUNK]), x.mask.secret, { method: "digits", digit: 2 });
    },
    tried: 2,
    breaks: ["a selecting bit is opened unmasked"],
  },
  {
    name: "below the mask, 2 bits, two digits of 1",
    inputs: [2],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 2));
      return yield* belowMask(party, reshape(x.opened, [1, CHUNK]), x.mask.secret, { method: "digits", digit: 1 });
    },
    breaks: ["a selecting bit is opened unmasked", dealt],
  },
  {
    name: "faithful truncation of a bit, 3 to 3 bits",
    inputs: [3],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 3));
      const spec = {
        operands: [fixed([CHUNK], 1, -0.5, 0.5, 3)],
        result: fixed([CHUNK], 0, -1, 1, 3),
        attrs: { by: 1 },
      };
      return yield* faithfulTruncate.run(party, spec, x);
    },
    tried: 2,
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "below, 4 bits, a tree of two leaves",
    inputs: [4],
    *run(party, input) {
      return yield* belowThresholds(party, yield* maskAndOpen(party, input(0, 4)), [0], { method: "tree" });
    },
    tried: 2,
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "lookup by a one-time vector, 2 bits of index, entries of 2",
    inputs: [2],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 2));
      const spec = {
        operands: [fixed([CHUNK], 0, 0, 3, 2), fixed([4], 0, 0, 3, 2)],
        result: fixed([CHUNK], 0, 0, 3, 2),
        attrs: { bits: 2, fraction: 0 },
      };
      return yield* otttLookup.run(party, spec, x, intTensor([4], Float64Array.of(1, 3, 0, 2)));
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "fourier, period of 3 bits on a wire of 4, 2 bits of each harmonic",
    inputs: [4],
    *run(party, input) {
      const x = yield* maskAndOpen(party, input(0, 4));
      return evaluateFourier(party, x, { constant: 0, cosines: [1], sines: [] }, 3, { width: 2, scale: 28 });
    },
    breaks: ["mask is 0", dealt],
  },
]);
