import { expect, it } from "vitest";
import { createPrg } from "../../../runtime/core/random.ts";
import { pack } from "../../../runtime/ring/pack.ts";
import { leakCases } from "../../harness/leak-cases.ts";
import { runParties, seedOf } from "../../harness/run-parties.ts";

const trials = 32;

it.each(leakCases)(`$name sends messages of the same number, order and lengths for ${trials} secrets`, (test) => {
  const shapes = new Set<string>();
  for (let trial = 0; trial < trials; trial++) {
    const secret = test.bounds.map(([lo, hi, count], k) => {
      // Both ends first, where a branch on a value is likeliest.
      if (trial < 2) return Array.from({ length: count }, () => [lo, hi][trial]!);
      const words = createPrg(seedOf(trial, 6), String(k)).ring([count], 32).data!;
      return Array.from(words, (word) => lo + Math.floor(((hi - lo + 1) * word) / 2 ** 32));
    });
    const run = runParties(test.body("client", secret, 2), trial);
    const lengths = (["client", "server"] as const).map((role) => run.view[role].map((t) => pack(t).length));
    shapes.add(JSON.stringify([lengths, run.metered]));
    expect(run.metered).toEqual(run.counted);
  }
  expect(shapes.size).toBe(1);
});
