import memoize from "lodash-es/memoize.js";
import { describe, expect, it } from "vitest";
import type { Party, Share } from "../../../runtime/core/party.ts";
import { knownWeightMul } from "../../../runtime/protocols/arithmetic/known-weight.ts";
import { knownWeightConv } from "../../../runtime/protocols/arithmetic/known-weight-conv.ts";
import { knownWeightLowRank } from "../../../runtime/protocols/arithmetic/low-rank.ts";
import { oneWayReveal } from "../../../runtime/protocols/boundary/one-way-reveal.ts";
import { seededShare } from "../../../runtime/protocols/boundary/seeded-share.ts";
import { fromIntegers } from "../../../runtime/ring/convert.ts";
import { intTensor, metaTensor, type Shape } from "../../../runtime/ring/tensor.ts";
import type { Corrupted } from "../../harness/compare-views.ts";
import { CHUNK, constant, sameViews, type TinyBody, unknownInteger } from "../../harness/enumerate-views.ts";
import { fixed, weightOf } from "../../harness/execute-protocol.ts";
import { breaks } from "../../harness/leak-breaks.ts";

const dealt = "what the dealer sends is not masked";

/** For every pad the server's views are the same whatever the client's share. */
function expectNothingTold(product: (x1: number, pad: number) => TinyBody, values: readonly number[]): void {
  for (const pad of values) {
    const bodies = values.map((x1) => product(x1, pad));
    expect(sameViews(bodies, "server")).toBe(true);
  }
}

describe("a known weight, 3 bits", () => {
  const product =
    (x1: number, pad: number): TinyBody =>
    (party, stage) => {
      const own = party.role === "client" ? x1 : 5;
      const tensor = stage === "online" ? fromIntegers(constant(own), 3) : metaTensor([CHUNK], 3);
      const weight = weightOf(party, stage, constant(3), 3, (_, width) => fromIntegers(constant(pad), width));
      const value = fixed([CHUNK], 0, 0, 0, 3);
      const spec = { operands: [value, value], result: value, attrs: {} };
      return knownWeightMul.run(party, spec, { kind: "share", tensor }, weight);
    };
  const values = [...Array(8).keys()];

  it("tells the server nothing of the client's share, for every pad", () => {
    expectNothingTold(product, values);
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
        const padded = weightOf(party, "deal", intTensor([1], Float64Array.of(w)), 3, (_, width) =>
          fromIntegers(intTensor([1], Float64Array.of(pad)), width),
        );
        return padded.hidden.data![0]!;
      });
    for (const w of values) {
      expect(hiddenOf(w, values).sort()).toEqual(values);
      expect(hiddenOf(w, [0])).toEqual([w]);
    }
  });
});

describe("a low-rank product of known weights, 2 bits", () => {
  const values = [...Array(4).keys()];
  const product =
    (x1: number, pad: number): TinyBody =>
    (party, stage) => {
      const column = (value: number) => intTensor([CHUNK, 1], constant(value).data!);
      const tensor =
        stage === "online" ? fromIntegers(column(party.role === "client" ? x1 : 1), 2) : metaTensor([CHUNK, 1], 2);
      const single = (value: number) => intTensor([1, 1], Float64Array.of(value));
      const weight = (value: number) =>
        weightOf(party, stage, single(value), 2, (_, width) => fromIntegers(single(pad), width));
      const [rows, factor] = [fixed([CHUNK, 1], 0, 0, 0, 2), fixed([1, 1], 0, 0, 0, 2)];
      const spec = { operands: [rows, factor, factor], result: rows, attrs: {} };
      return knownWeightLowRank.run(party, spec, { kind: "share", tensor }, weight(3), weight(1));
    };

  it("tells the server nothing of the client's share, for every pad", () => {
    expectNothingTold(product, values);
  });

  it("does when masks are 0, when one serves both products, or what the dealer sends is not masked", () => {
    const bodies = values.map((x1) => product(x1, 2));
    expect(sameViews(bodies, "server", breaks["client mask is 0"])).toBe(false);
    expect(sameViews(bodies, "server", breaks[dealt])).toBe(false);
    const twice = bodies.map(
      (body): TinyBody =>
        (party, stage) => {
          const once = memoize((shape: Shape, width: number) => party.clientMask(shape, width), String);
          return body({ ...party, clientMask: once }, stage);
        },
    );
    expect(sameViews(twice, "server")).toBe(false);
  });
});

describe("a convolution with known kernels, 2 bits", () => {
  /** Two places of one column for each sample; one window meets both, one the first and the padding. */
  const convolved =
    (first: number, second: number): TinyBody =>
    (party, stage) => {
      const own = (value: number) => constant(party.role === "client" ? value : 1).data!;
      const places = intTensor([1, 1, 2, CHUNK], Float64Array.from([...own(first), ...own(second)]));
      const tensor = stage === "online" ? fromIntegers(places, 2) : metaTensor(places.shape, 2);
      const kernels = intTensor([1, 1, 2, 1], Float64Array.of(3, 1));
      const pad = (_: unknown, width: number) => fromIntegers(intTensor([1, 1, 2, 1], Float64Array.of(2, 3)), width);
      const weight = weightOf(party, stage, kernels, 2, pad);
      const attrs = { strides: [1, 1], pads: [1, 0, 0, 0], dilations: [1, 1], group: 1 };
      const samples = fixed([1, 1, 2, CHUNK], 0, 0, 0, 2);
      const spec = { operands: [samples, fixed([1, 1, 2, 1], 0, 0, 0, 2)], result: samples, attrs };
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
  const value = fixed([CHUNK], 0, 0, 0, 3);
  const spec = (to: string) => ({ operands: [value], result: value, attrs: { to } });
  const values = [...Array(8).keys()];
  const sharing =
    (x: number): TinyBody =>
    (party, stage) =>
      seededShare.run(party, spec(""), party.role === "client" && stage === "online" ? constant(x) : unknownInteger);
  const revealing =
    (to: string, corrupted: Corrupted, other: number): TinyBody =>
    (party, stage) => {
      const own = fromIntegers(constant(party.role === corrupted ? 1 : other), 3);
      return oneWayReveal.run(party, spec(to), {
        kind: "share",
        tensor: stage === "online" ? own : metaTensor([CHUNK], 3),
      });
    };

  it("sharing tells the server nothing; a share sent in the clear would", () => {
    expect(sameViews(values.map(sharing), "server")).toBe(true);
    const plain = (x: number): TinyBody =>
      function* (party, stage) {
        const share = (yield* sharing(x)(party, stage)) as Share;
        const value = stage === "online" && party.role === "client" ? fromIntegers(constant(x), 3) : share.tensor;
        const tensor = party.role === "client" ? value : metaTensor([CHUNK], 3);
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
