import { expect, it } from "vitest";
import { createPrg } from "../../../../runtime/core/random.ts";
import { maskAndOpen } from "../../../../runtime/protocols/boundary/open.ts";
import { belowMask, belowThresholds } from "../../../../runtime/protocols/comparison/comparison.ts";
import { digitBits, digitComparisonBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import { add, xorWords } from "../../../../runtime/ring/arithmetic.ts";
import { fromIntegers } from "../../../../runtime/ring/convert.ts";
import { reshape } from "../../../../runtime/ring/layout-ops.ts";
import { intTensor, metaTensor } from "../../../../runtime/ring/tensor.ts";
import { inputShare } from "../../../harness/execute-protocol.ts";
import { count, runParties, seedOf } from "../../../harness/run-parties.ts";

const metaMasked = (shape: readonly number[], width: number) => {
  const t = metaTensor(shape, width);
  return { kind: "masked", opened: t, mask: { share: t, secret: t, fresh: true } } as const;
};

it("compares with every threshold, widths 3 to 31, 232 seeds", () => {
  for (let width = 3; width <= 31; width++) {
    for (let trial = 0; trial < 8; trial++) {
      const limit = 2 ** (width - 2);
      const words = createPrg(seedOf(trial, 5), String(width)).ring([40], 32).data!;
      const values = Float64Array.from(words, (word) => (word % (2 * limit - 1)) - limit + 1);
      values.set([0, limit - 1, 1 - limit]);
      const thresholds = [0, -limit, Math.floor(limit / 3), limit - 1];
      const x = fromIntegers(intTensor([40], values), width);
      const run = runParties(function* (party, stage) {
        const share = inputShare(party, stage, x, 0, { trial });
        return yield* belowThresholds(party.at("op"), yield* maskAndOpen(party.at("open"), share), thresholds);
      }, trial);
      expect(run.metered).toEqual(run.counted);
      const bits = add(run.client, run.server).data!;
      thresholds.forEach((t, k) => {
        values.forEach((v, i) => {
          expect(bits[40 * k + i]).toBe(v < t ? 1 : 0);
        });
      });
    }
  }
});

/** Σ(2^k − 1) for digits as even as can be, and 1.5·2^D − 1 − 2D. */
function closedForm(bits: number, k: number): number {
  const digits = Math.ceil(bits / k);
  const [low, longer] = [Math.floor(bits / digits), bits % digits];
  return (digits - longer) * (2 ** low - 1) + longer * (2 ** (low + 1) - 1) + 1.5 * 2 ** digits - 1 - 2 * digits;
}

it("costs Σ(2^k − 1) + 1.5·2^D − 1 − 2D from the dealer, 2(2D−1) online, 1 hop", () => {
  for (let bits = 2; bits <= 30; bits++) {
    const k = digitBits(bits);
    const digits = Math.ceil(bits / k);
    expect(digitComparisonBits(bits, k)).toBe(closedForm(bits, k));
    const cost = count((party) => belowMask(party, metaTensor([1, 8], bits), metaTensor([8], bits)));
    expect(cost).toEqual({
      rounds: 1,
      clientToServer: 2 * digits - 1,
      serverToClient: 2 * digits - 1,
      dealerToServer: closedForm(bits, k),
    });
  }
  // Of docs/protocols/digit-comparison.md.
  expect([10, 15, 20, 24, 30].map((bits) => digitComparisonBits(bits, digitBits(bits)))).toEqual([
    34, 67, 112, 176, 269,
  ]);
});

it("shares its tables between thresholds: each adds one-time bits and products only", () => {
  const once = count((party) => belowThresholds(party, metaMasked([8], 16), [0])).dealerToServer;
  const twice = count((party) => belowThresholds(party, metaMasked([8], 16), [0, 1])).dealerToServer;
  const digits = Math.ceil(15 / digitBits(15));
  expect(twice - once).toBe(1.5 * 2 ** digits - 1 - 2 * digits);
});

it("takes any digit size it is told", () => {
  for (const size of [1, 2, 3, 4, 5, 6]) {
    const run = runParties(function* (party) {
      const mask = party.mask([64], 5);
      const opened = fromIntegers(
        intTensor(
          [64],
          Float64Array.from({ length: 64 }, (_, i) => i % 32),
        ),
        5,
      );
      return {
        mask: mask.share,
        bits: yield* belowMask(party, reshape(opened, [1, 64]), mask.secret, { method: "digits", digit: size }),
      };
    });
    const r = add(run.client.mask, run.server.mask).data!;
    const bits = xorWords(run.client.bits, run.server.bits).data!;
    bits.forEach((b, i) => {
      expect(b).toBe(i % 32 < r[i]! ? 1 : 0);
    });
  }
});

it("names the widest comparison", () => {
  expect(() => digitBits(31)).toThrow(/at most 30 bits, got 31/);
});
