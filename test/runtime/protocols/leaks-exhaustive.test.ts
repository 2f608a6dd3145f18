import { describe, expect, it } from "vitest";
import type { Party, Share } from "../../../runtime/party.ts";
import { below, belowMask } from "../../../runtime/protocols/comparison.ts";
import { isZero } from "../../../runtime/protocols/equality.ts";
import { faithfulTruncate } from "../../../runtime/protocols/faithful-truncate.ts";
import { fourier } from "../../../runtime/protocols/fourier.ts";
import { knownWeightMul } from "../../../runtime/protocols/known-weight.ts";
import { knownWeightConv } from "../../../runtime/protocols/known-weight-conv.ts";
import { oneWayReveal } from "../../../runtime/protocols/one-way-reveal.ts";
import { openWire } from "../../../runtime/protocols/open.ts";
import { otttLookup } from "../../../runtime/protocols/ottt-lookup.ts";
import { bitToRing, select, wireProduct } from "../../../runtime/protocols/products.ts";
import { seededShare } from "../../../runtime/protocols/seeded-share.ts";
import { lift } from "../../../runtime/protocols/wires.ts";
import { fromIntegers, reshape } from "../../../runtime/ring/index.ts";
import { ghost, integers, type RingTensor } from "../../../runtime/ring/tensor.ts";
import type { Steps } from "../../../runtime/steps.ts";
import { CHUNK, sameViews, type TinyBody } from "../../harness/enumerate.ts";
import { type BreakName, breaks } from "../../harness/leak-breaks.ts";
import type { Corrupted } from "../../harness/leaks.ts";
import { fixed, weightOf } from "../../harness/protocols.ts";
import type { Stage } from "../../harness/together.ts";

// What is left out by size: octaves, exponential, norms, softmax and attention send nothing but openings, comparisons
// and dealt shares of the kinds enumerated here; each mask and each dealt share is fresh, so the views of the parts
// are independent, and the full-width tests watch the composition.

const constant = (value: number) => integers([CHUNK], new Float64Array(CHUNK).fill(value));
type Inputs = (index: number, width: number) => RingTensor;

/** A body on input shares: the corrupted party's are fixed, the other's are what varies. */
const withShares =
  (corrupted: Corrupted, others: readonly number[], run: (party: Party, inputs: Inputs) => Steps<unknown>): TinyBody =>
  (party: Party, stage: Stage) =>
    run(party, (index, width) => {
      if (stage !== "online") return ghost([CHUNK], width);
      return fromIntegers(constant(party.role === corrupted ? 1 + 2 * index : others[index]!), width);
    });

interface Tiny {
  readonly name: string;
  /** Widths of the shared inputs. */
  readonly inputs: readonly number[];
  readonly run: (party: Party, inputs: Inputs) => Steps<unknown>;
  /** How many of the other party's inputs to try; all by default. */
  readonly tried?: number;
  readonly breaks: readonly BreakName[];
}

const dealt = "what the dealer sends is not masked";
const tiny: readonly Tiny[] = [
  {
    name: "open, 4 bits",
    inputs: [4],
    *run(party, input) {
      return yield* openWire(party, input(0, 4));
    },
    breaks: ["mask is 0", "mask has lost its low bit", "mask is drawn from a quarter of the ring"],
  },
  {
    name: "lift, 3 to 5 bits",
    inputs: [3],
    *run(party, input) {
      return lift(party, yield* openWire(party, input(0, 3)), 5);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "product of wires, 2 and 2 to 3 bits",
    inputs: [2, 2],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 2));
      return wireProduct(party, x, yield* openWire(party, input(1, 2)), 3);
    },
    breaks: ["mask is 0", "mask has lost its low bit", dealt],
  },
  {
    name: "select, 2 to 3 bits",
    inputs: [1, 2],
    *run(party, input) {
      const bit = yield* openWire(party, input(0, 1));
      return select(party, bit, yield* openWire(party, input(1, 2)), 3);
    },
    breaks: ["a selecting bit is opened unmasked", dealt],
  },
  {
    name: "bit to ring of 4 bits",
    inputs: [1],
    *run(party, input) {
      return bitToRing(party, yield* openWire(party, input(0, 1)), 4);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "bit and bit",
    inputs: [1, 1],
    *run(party, input) {
      const a = yield* openWire(party, input(0, 1));
      return wireProduct(party, a, yield* openWire(party, input(1, 1)), 1);
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "zero, 3 bits, one digit",
    inputs: [3],
    *run(party, input) {
      return yield* isZero(party, yield* openWire(party, input(0, 3)));
    },
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "below, 3 bits, one digit",
    inputs: [3],
    *run(party, input) {
      return yield* below(party, yield* openWire(party, input(0, 3)), [0]);
    },
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "below the mask, 3 bits, digits of 2 and 1",
    inputs: [3],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 3));
      return yield* belowMask(party, reshape(x.opened, [1, CHUNK]), x.mask.secret, { method: "digits", digit: 2 });
    },
    tried: 2,
    breaks: ["a selecting bit is opened unmasked"],
  },
  {
    name: "below the mask, 2 bits, two digits of 1",
    inputs: [2],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 2));
      return yield* belowMask(party, reshape(x.opened, [1, CHUNK]), x.mask.secret, { method: "digits", digit: 1 });
    },
    breaks: ["a selecting bit is opened unmasked", dealt],
  },
  {
    name: "faithful truncation of a bit, 3 to 3 bits",
    inputs: [3],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 3));
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
      return yield* below(party, yield* openWire(party, input(0, 4)), [0], { method: "tree" });
    },
    tried: 2,
    breaks: ["mask is 0", "a selecting bit is opened unmasked", dealt],
  },
  {
    name: "lookup by a one-time vector, 2 bits of index, entries of 2",
    inputs: [2],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 2));
      const spec = { operands: [], result: fixed([CHUNK], 0, 0, 3, 2), attrs: { bits: 2, fraction: 0 } };
      return yield* otttLookup.run(party, spec, x, integers([4], Float64Array.of(1, 3, 0, 2)));
    },
    breaks: ["mask is 0", dealt],
  },
  {
    name: "fourier, period of 3 bits on a wire of 4, 2 bits of each harmonic",
    inputs: [4],
    *run(party, input) {
      const x = yield* openWire(party, input(0, 4));
      return fourier(party, x, { constant: 0, cosines: [1], sines: [] }, 3, { width: 2, scale: 28 });
    },
    breaks: ["mask is 0", dealt],
  },
];

/** Every combination of the other party's inputs, or as many as are tried. */
function combinations({ inputs, tried = 16 }: Tiny): number[][] {
  const all = inputs.reduce<number[][]>(
    (rows, width) => rows.flatMap((row) => [...Array(2 ** width).keys()].map((value) => [...row, value])),
    [[]],
  );
  if (all.length <= tried) return all;
  // Spread from the first to the last, which differ in every bit.
  return [...Array(tried).keys()].map((k) => all[Math.round((k * (all.length - 1)) / (tried - 1))]!);
}

const same = (test: Tiny, corrupted: Corrupted, name?: BreakName): boolean =>
  sameViews(
    combinations(test).map((others) => withShares(corrupted, others, test.run)),
    corrupted,
    name && breaks[name],
  );

for (const test of tiny) {
  describe(test.name, () => {
    it.each(["client", "server"] as const)("gives a corrupted %s equally distributed views", (corrupted) => {
      expect(same(test, corrupted)).toBe(true);
    });
    it.each(test.breaks)("does not when %s", (name) => {
      expect(same(test, "server", name) && same(test, "client", name)).toBe(false);
    });
  });
}

describe("a known weight, 3 bits", () => {
  const product =
    (x1: number, pad: number): TinyBody =>
    (party, stage) => {
      const own = party.role === "client" ? x1 : 5;
      const tensor = stage === "online" ? fromIntegers(constant(own), 3) : ghost([CHUNK], 3);
      const weight = weightOf(party, stage, constant(3), 3, (_, width) => fromIntegers(constant(pad), width));
      const spec = { operands: [], result: fixed([CHUNK], 0, 0, 0, 3), attrs: {} };
      return knownWeightMul.run(party, spec, { kind: "share", tensor }, weight);
    };
  const values = [...Array(8).keys()];

  it("tells the server nothing of the client's share, for every pad", () => {
    for (const pad of values) {
      expect(
        sameViews(
          values.map((x1) => product(x1, pad)),
          "server",
        ),
      ).toBe(true);
    }
  });

  it("does when the client's mask is 0, or what the dealer sends is not masked", () => {
    const bodies = values.map((x1) => product(x1, 2));
    expect(sameViews(bodies, "server", breaks["client mask is 0"])).toBe(false);
    expect(sameViews(bodies, "server", breaks[dealt])).toBe(false);
  });

  it("is uniform at the dealer, whatever the weight; with no joint randomness it is the weight", () => {
    const hiddenOf = (w: number, pads: readonly number[]) =>
      pads.map((pad) => {
        const party = { role: "dealer" } as Party;
        const padded = weightOf(party, "deal", integers([1], Float64Array.of(w)), 3, (_, width) =>
          fromIntegers(integers([1], Float64Array.of(pad)), width),
        );
        return padded.hidden.data![0]!;
      });
    for (const w of values) {
      expect(hiddenOf(w, values).sort()).toEqual(values);
      expect(hiddenOf(w, [0])).toEqual([w]);
    }
  });
});

describe("a convolution with known kernels, 2 bits", () => {
  /** Two places of one column for each sample; one window meets both, one the first and the padding. */
  const convolved =
    (first: number, second: number): TinyBody =>
    (party, stage) => {
      const own = (value: number) => constant(party.role === "client" ? value : 1).data!;
      const places = integers([1, 1, 2, CHUNK], Float64Array.from([...own(first), ...own(second)]));
      const tensor = stage === "online" ? fromIntegers(places, 2) : ghost(places.shape, 2);
      const kernels = integers([1, 1, 2, 1], Float64Array.of(3, 1));
      const pad = (_: unknown, width: number) => fromIntegers(integers([1, 1, 2, 1], Float64Array.of(2, 3)), width);
      const weight = weightOf(party, stage, kernels, 2, pad);
      const attrs = { strides: [1, 1], pads: [1, 0, 0, 0], dilations: [1, 1], group: 1 };
      const spec = { operands: [], result: fixed([1, 1, 2, CHUNK], 0, 0, 0, 2), attrs };
      return knownWeightConv.run(party, spec, { kind: "share", tensor }, weight);
    };
  const shares = [convolved(0, 0), convolved(3, 0), convolved(1, 3)];

  it("tells the server nothing of the client's share, unless masks fail", () => {
    expect(sameViews(shares, "server")).toBe(true);
    expect(sameViews(shares, "server", breaks["client mask is 0"])).toBe(false);
    expect(sameViews(shares, "server", breaks[dealt])).toBe(false);
  });
});

describe("input and output, 3 bits", () => {
  const spec = (to: string) => ({ operands: [], result: fixed([CHUNK], 0, 0, 0, 3), attrs: { to } });
  const values = [...Array(8).keys()];
  const sharing =
    (x: number): TinyBody =>
    (party, stage) =>
      seededShare.run(party, spec(""), party.role === "client" && stage === "online" ? constant(x) : unknown);
  const unknown = integers([CHUNK], undefined);
  const revealing =
    (to: string, corrupted: Corrupted, other: number): TinyBody =>
    (party, stage) => {
      const own = fromIntegers(constant(party.role === corrupted ? 1 : other), 3);
      return oneWayReveal.run(party, spec(to), { kind: "share", tensor: stage === "online" ? own : ghost([CHUNK], 3) });
    };

  it("sharing tells the server nothing; a share sent in the clear would", () => {
    expect(sameViews(values.map(sharing), "server")).toBe(true);
    const plain = (x: number): TinyBody =>
      function* (party, stage) {
        const share = (yield* sharing(x)(party, stage)) as Share;
        const value = stage === "online" && party.role === "client" ? fromIntegers(constant(x), 3) : share.tensor;
        const tensor = party.role === "client" ? value : ghost([CHUNK], 3);
        return yield [{ from: "client", to: "server", tensor }];
      };
    expect(sameViews(values.map(plain), "server")).toBe(false);
  });

  it("revealing tells the other party nothing; revealing to the wrong one would", () => {
    for (const [reader, other] of [
      ["client", "server"],
      ["server", "client"],
    ] as const) {
      expect(
        sameViews(
          values.map((v) => revealing(reader, other, v)),
          other,
        ),
      ).toBe(true);
      expect(
        sameViews(
          values.map((v) => revealing(other, other, v)),
          other,
        ),
      ).toBe(false);
    }
  });
});
