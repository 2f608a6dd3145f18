import { describe, expect, it } from "vitest";
import {
  replicatedMatmul,
  replicatedMul,
  replicatedSquare,
} from "../../../../../runtime/protocols/families/replicated/replicated-product.ts";
import { compareViews, leakCase } from "../../../../harness/compare-views.ts";
import { bytes, costOf, fixed } from "../../../../harness/execute-protocol.ts";
import { breaks } from "../../../../harness/leak-breaks.ts";
import { limitOf } from "../../../../harness/leak-statistics.ts";

const ring = 64;
const square = (n: number, to: number) => ({
  operands: [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
  result: fixed([n], to, -256, 256, ring),
  attrs: {},
});

describe("cost (protocols.md 3.1): 3ℓ per element of the result, each party one ℓ, in one round", () => {
  const product = (elements: number) => ({
    rounds: 1,
    clientToServer: 0,
    serverToClient: bytes(ring * elements),
    dealerToServer: bytes(ring * elements),
    clientToDealer: bytes(ring * elements),
  });

  it.each([replicatedMatmul])("$name, whatever is summed over", (protocol) => {
    const spec = {
      operands: [fixed([5, 33], 12, -1, 1), fixed([33, 7], 12, -1, 1)],
      result: fixed([5, 7], 24, -33, 33, ring),
      attrs: {},
    };
    expect(costOf(protocol, spec)).toEqual(product(35));
  });

  it.each([replicatedMul, replicatedSquare])("$name without a truncation", (protocol) => {
    const { operands, ...rest } = square(9, 24);
    expect(costOf(protocol, { ...rest, operands: operands.slice(0, protocol.forms.length) })).toEqual(product(9));
  });

  it("a truncation comes on top: 2 rounds, 4ℓ, and of the dealer ℓ + s + 1", () => {
    expect(costOf(replicatedMul, square(8, 12))).toEqual({
      ...product(8),
      rounds: 3,
      clientToServer: bytes(2 * ring * 8),
      serverToClient: bytes(3 * ring * 8),
      dealerToServer: bytes(2 * ring * 8) + bytes(13 * 8),
    });
  });
});

describe("without its zero sharing a product tells each party the other's components (CrypTen issue 518)", () => {
  const test = leakCase(
    replicatedMul,
    [
      [[-60001], [20]],
      [[12346], [30001]],
    ],
    (n) => square(n, 24),
  );
  it.each(["client", "server", "dealer"] as const)("the %s", (corrupted) => {
    const sound = compareViews(test, corrupted, 4000);
    expect(sound.tests).toBeGreaterThan(0);
    expect(sound.z).toBeLessThan(limitOf(sound.tests));
    const broken = compareViews(test, corrupted, 4000, breaks["the zero sharing is 0"]);
    expect(broken.z).toBeGreaterThan(limitOf(broken.tests));
  });
});
