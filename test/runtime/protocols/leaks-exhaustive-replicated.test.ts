import { describe, expect, it } from "vitest";
import type { Party, ReplicatedShare } from "../../../runtime/core/party.ts";
import { isZeroReplicated, topBit } from "../../../runtime/protocols/families/replicated/replicated-bits.ts";
import { replicatedReveal } from "../../../runtime/protocols/families/replicated/replicated-io.ts";
import {
  additiveToReplicated,
  multiplyByBit,
  multiplyByWeight,
  multiplyReplicated,
  replicatedBitToRing,
  replicatedToAdditive,
  shareFromClient,
} from "../../../runtime/protocols/families/replicated/replicated-sharing.ts";
import {
  truncateReplicated,
  truncateReplicatedLocally,
} from "../../../runtime/protocols/families/replicated/replicated-truncation-steps.ts";
import { mul, mulInteger } from "../../../runtime/ring/arithmetic.ts";
import { fromIntegers } from "../../../runtime/ring/convert.ts";
import { metaTensor } from "../../../runtime/ring/tensor.ts";
import type { Corrupted } from "../../harness/compare-views.ts";
import { CHUNK, constant, sameViews, type TinyBody } from "../../harness/enumerate-views.ts";
import { fixed, weightOf } from "../../harness/execute-protocol.ts";
import { describeThreeParties } from "../../harness/exhaustive-leaks.ts";
import { breaks } from "../../harness/leak-breaks.ts";

// All that replicated protocols send: shares of what the client or two parties know, reshared products, and openings
// before a truncation. Maxima, choices and comparisons of two values are made of these with fresh randomness.

const unshared = "the zero sharing is 0";

describeThreeParties([
  {
    name: "additive shares made replicated, 4 bits",
    inputs: [4],
    *run(party, input) {
      return yield* additiveToReplicated(party, replicatedToAdditive(party, input(0, 4)));
    },
    breaks: [unshared],
  },
  {
    name: "product, 4 bits",
    inputs: [4, 4],
    *run(party, input) {
      return yield* multiplyReplicated(party, input(0, 4), input(1, 4), mul);
    },
    breaks: [unshared],
  },
  {
    name: "bit and bit",
    inputs: [1, 1],
    *run(party, input) {
      return yield* multiplyReplicated(party, input(0, 1), input(1, 1), mul);
    },
    breaks: [unshared],
  },
  {
    name: "bit to ring of 3 bits",
    inputs: [1],
    *run(party, input) {
      return yield* replicatedBitToRing(party, input(0, 1), 3);
    },
    breaks: [unshared],
  },
  {
    name: "bit times 2 bits",
    inputs: [1, 2],
    *run(party, input) {
      return yield* multiplyByBit(party, input(0, 1), input(1, 2));
    },
    tried: 4,
    breaks: [unshared],
  },
  {
    name: "truncation of a bit, 3 bits",
    inputs: [3],
    *run(party, input) {
      return yield* truncateReplicated(party, input(0, 3), 1);
    },
    tried: 2,
    breaks: [unshared, "mask is 0", "mask has lost its low bit", "what the dealer sends is not masked"],
  },
  {
    name: "truncation by shifts of what is known, 4 bits",
    inputs: [4],
    *run(party, input) {
      return yield* truncateReplicatedLocally(party, input(0, 4), 1);
    },
    breaks: [unshared],
  },
  {
    name: "top bit, 3 bits",
    inputs: [3],
    *run(party, input) {
      return yield* topBit(party, input(0, 3));
    },
    tried: 2,
    breaks: [unshared],
  },
  {
    name: "zero, 3 bits",
    inputs: [3],
    *run(party, input) {
      return yield* isZeroReplicated(party, input(0, 3));
    },
    tried: 4,
    breaks: [unshared],
  },
]);

describe("what one party alone knows, 4 bits", () => {
  const values = [...Array(16).keys()];
  const own = (party: Party, role: Corrupted, online: boolean, value: number, width = 4) =>
    online && party.role === role ? fromIntegers(constant(value), width) : metaTensor([CHUNK], width);

  it("an input of the client's tells server and dealer nothing; one that is sent unmasked would", () => {
    const bodies = values.map(
      (x): TinyBody =>
        (party, stage) =>
          shareFromClient(party, own(party, "client", stage === "online", x)),
    );
    expect(sameViews(bodies, "server")).toBe(true);
    expect(sameViews(bodies, "dealer")).toBe(true);
    expect(sameViews(bodies, "server", breaks[unshared])).toBe(false);
  });

  it("products with a weight tell client and dealer nothing of it, for every pad; without a zero sharing they would", () => {
    const body =
      (w: number, pad: number): TinyBody =>
      (party, stage) => {
        const share = stage === "online" ? fromIntegers(constant(3), 2) : metaTensor([CHUNK], 2);
        const x: ReplicatedShare = { kind: "replicated", components: [share, share] };
        const weight = weightOf(party, stage, constant(w), 2, (_, width) => fromIntegers(constant(pad), width));
        return multiplyByWeight(party, x, weight, { ring: mul, integer: mulInteger });
      };
    const residues = [0, 1, 2, 3];
    for (const pad of residues) {
      // The client knows the pad.
      const bodies = residues.map((w) => body(w, pad));
      expect(sameViews(bodies, "client")).toBe(true);
      expect(sameViews(bodies, "client", breaks[unshared])).toBe(false);
    }
    for (const hidden of residues) {
      // The dealer knows what the pad leaves.
      const bodies = residues.map((w) => body(w, (w - hidden + 4) % 4));
      expect(sameViews(bodies, "dealer")).toBe(true);
      expect(sameViews(bodies, "dealer", breaks[unshared])).toBe(false);
    }
  });
});

it("revealing tells the two who do not read nothing; revealing to the wrong one would", () => {
  const reveal =
    (to: string, corrupted: Corrupted, lacking: number): TinyBody =>
    (party, stage) => {
      const roles = ["client", "server", "dealer"] as const;
      const at = (roles.indexOf(party.role) - roles.indexOf(corrupted) + 3) % 3;
      const parts = [at, (at + 1) % 3].map((k) =>
        stage === "online" ? fromIntegers(constant([5, 3, lacking][k]!), 3) : metaTensor([CHUNK], 3),
      );
      const value = fixed([CHUNK], 0, 0, 0, 3);
      const spec = { operands: [value], result: value, attrs: { to } };
      return replicatedReveal.run(party, spec, { kind: "replicated", components: [parts[0]!, parts[1]!] });
    };
  const values = [...Array(8).keys()];
  for (const [reader, other] of [
    ["client", "server"],
    ["server", "client"],
  ] as const) {
    for (const corrupted of [other, "dealer"] as const) {
      expect(
        sameViews(
          values.map((v) => reveal(reader, corrupted, v)),
          corrupted,
        ),
      ).toBe(true);
    }
    expect(
      sameViews(
        values.map((v) => reveal(other, other, v)),
        other,
      ),
    ).toBe(false);
  }
});
