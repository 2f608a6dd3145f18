import { expect, test } from "vitest";
import type { Party, Share } from "../../../../runtime/core/party.ts";
import { maskAndOpen } from "../../../../runtime/protocols/boundary/open.ts";
import { seededShare } from "../../../../runtime/protocols/boundary/seeded-share.ts";
import { rowIndices } from "../../../../runtime/protocols/ordering/row-indices.ts";
import { levelCount, rowMax } from "../../../../runtime/protocols/ordering/row-max.ts";
import { intTensor } from "../../../../runtime/ring/tensor.ts";
import { runParties } from "../../../harness/run-parties.ts";

const width = 12;

/** The maxima that both parties see once the result's mask is taken off, by the harness that knows it. */
function maxima(values: readonly number[], rows: readonly (readonly number[])[], trial: number, radix?: number) {
  const spec = { shape: [values.length], width, scale: 0, lo: -1000, hi: 1000 };
  const run = runParties(function* (party: Party) {
    const given = intTensor([values.length], party.role === "client" ? Float64Array.from(values) : undefined);
    const share = (yield* seededShare.run(
      party.at("in"),
      { operands: [spec], result: spec, attrs: {} },
      given,
    )) as Share;
    const masked = yield* maskAndOpen(party.at("open"), share.tensor);
    return yield* rowMax(party.at("max"), masked, rowIndices(rows), undefined, radix);
  }, trial);
  expect(run.metered).toEqual(run.counted);
  return run;
}

const values = [3, -5, 3, 900, 899, -1000, 7, 0, 0, 12, 12];
/** 3 rounds a level, 4 where a group is larger than four. */
function roundsOf(length: number, radix: number): number {
  let rounds = 0;
  for (let left = length; left > 1; left = Math.ceil(left / radix)) rounds += Math.min(left, radix) > 4 ? 4 : 3;
  return rounds;
}

test.each([2, 3, 4, 5, 8, 16])("every length from 1 to eleven in groups of %i", (radix) => {
  for (let length = 1; length <= values.length; length++) {
    for (let trial = 1; trial <= 5; trial++) {
      const rotated = values.map((_, at) => values[(at + trial) % values.length]!);
      const rows = [[...Array(length).keys()], [length - 1]];
      const { client, server, metered } = maxima(rotated, rows, trial, radix);
      // x = x̂ − r, and r is the sum of the parties' shares of a fresh mask.
      const found = [...client.opened.data!].map((x, row) => {
        const mask = client.mask.share!.data![row]! + server.mask.share!.data![row]!;
        return (x - mask) & (2 ** width - 1);
      });
      const residue = (x: number): number => x & (2 ** width - 1);
      const best = Math.max(...rotated.slice(0, length));
      expect(found).toEqual([best, rotated[length - 1]!].map(residue));
      expect(metered.rounds).toBe(1 + roundsOf(length, radix));
    }
  }
});

test("larger groups save rounds in long rows, for more comparisons", () => {
  expect([4, 8, 16].map((radix) => roundsOf(128, radix))).toEqual([12, 11, 8]);
  expect([4, 8, 16].map((radix) => roundsOf(512, radix))).toEqual([15, 12, 11]);
});

test("levels of radix 4", () => {
  expect([1, 2, 4, 5, 16, 17, 48, 64, 65].map((length) => levelCount(length))).toEqual([0, 1, 1, 2, 2, 3, 3, 3, 4]);
});
