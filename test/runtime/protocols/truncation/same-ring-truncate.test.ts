import { expect, it } from "vitest";
import { isExact } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { sameRingTruncate } from "../../../../runtime/protocols/truncation/same-ring-truncate.ts";
import { costOf, execute, fixed } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, width: number, by: number, bound: number) => ({
  operands: [fixed([count], by, -bound, bound)],
  result: fixed([count], 0, -bound, bound, width),
  attrs: { by },
});
const failure = (spec: ReturnType<typeof specOf>): number => sameRingTruncate.failure!(spec);

it("is within one unit in the same ring, where the ring is so wide that nothing fails; 1000 seeds, unbiased", () => {
  const by = 12;
  const [count, trials] = [20, 1000];
  const spec = specOf(count, 64, by, 8);
  expect(failure(spec)).toBe(2 ** -49);
  expect(isExact(sameRingTruncate, spec)).toBe(false);
  const x = Float64Array.from({ length: count }, (_, k) => (k / count) * 16 - 8 + k / 2 ** by);
  const sums = new Float64Array(count);
  for (let trial = 0; trial < trials; trial++) {
    const outcome = execute(sameRingTruncate, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    outcome.values.forEach((v, k) => {
      expect(Math.abs(v - Math.floor(x[k]! + 0.5))).toBeLessThanOrEqual(1);
      expect(Math.abs(v - x[k]!)).toBeLessThan(1);
      sums[k]! += v;
    });
  }
  // Up with the probability of the fraction: five standard deviations of a mean of so many coins.
  const off = sums.map((sum, k) => Math.abs(sum / trials - x[k]!));
  expect(Math.max(...off)).toBeLessThan((5 * 0.5) / Math.sqrt(trials));
});

it("fails with the stated probability |x|/2^ℓ, by 2^(ℓ−s): measured on a ring of 16 bits", () => {
  const [width, by, count] = [16, 4, 500_000];
  for (const magnitude of [2 ** 9, -(2 ** 11), 3000]) {
    const bound = Math.abs(magnitude) / 2 ** by;
    const { values } = execute(sameRingTruncate, specOf(count, width, by, bound), [
      new Float64Array(count).fill(magnitude / 2 ** by),
    ]);
    const off = values.filter((v) => Math.abs(v - magnitude / 2 ** by) > 1);
    const expected = failure(specOf(count, width, by, bound));
    expect(expected).toBe(Math.abs(magnitude) / 2 ** width);
    // At most half of what SecureML states for |x| < 2^lx.
    expect(2 * expected).toBeLessThanOrEqual(2 ** (Math.floor(Math.log2(Math.abs(magnitude))) + 1 + 1 - width));
    const deviation = Math.sqrt((expected * (1 - expected)) / count);
    expect(Math.abs(off.length / count - expected)).toBeLessThan(5 * deviation);
    // Each of them is off by the part of the ring that the shift has emptied.
    for (const v of off) expect(Math.abs(Math.abs(v - magnitude / 2 ** by) - 2 ** (width - by))).toBeLessThanOrEqual(1);
  }
});

it("sends nothing and needs no dealer", () => {
  const none = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  expect(costOf(sameRingTruncate, specOf(10, 64, 16, 8))).toEqual(none);
});
