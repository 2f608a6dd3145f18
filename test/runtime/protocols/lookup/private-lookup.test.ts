import { expect, it } from "vitest";
import { knownWeightMatmul } from "../../../../runtime/protocols/arithmetic/known-weight.ts";
import { privateLookup } from "../../../../runtime/protocols/lookup/private-lookup.ts";
import { compareViews, leakCase } from "../../../harness/compare-views.ts";
import { bytes, costOf, execute, fixed } from "../../../harness/execute-protocol.ts";
import { breaks } from "../../../harness/leak-breaks.ts";
import { limitOf } from "../../../harness/leak-statistics.ts";

const lookup = (tokens: number, rows: number, columns: number, width: number) => ({
  operands: [fixed([rows, columns], 12, -8, 8), fixed([tokens], 0, 0, rows - 1)],
  result: fixed([tokens, columns], 12, -8, 8, width),
  attrs: { axis: 0 },
});
const oneHot = (tokens: number, rows: number, columns: number, width: number) => ({
  operands: [fixed([tokens, rows], 0, 0, 1), fixed([rows, columns], 12, -8, 8)],
  result: fixed([tokens, columns], 12, -8, 8, width),
  attrs: {},
});

it("costs 2·(130·⌈log₂ V⌉ + ℓ) + d·ℓ bits a place in 2 rounds, and nothing of the dealer before", () => {
  const [tokens, levels, columns, width] = [8, 15, 16, 44];
  const corrections = bytes(128 * levels * tokens) + bytes(2 * levels * tokens) + bytes(width * tokens);
  expect(costOf(privateLookup, lookup(tokens, 30522, columns, width))).toEqual({
    rounds: 2,
    clientToServer: corrections,
    serverToClient: 0,
    clientToDealer: corrections,
    dealerToServer: bytes(width * columns * tokens),
  });
});

/** The vocabulary and width of bert-base: 30,522 rows of 768, a ring of 44 bits. */
it("takes 4.7 kB a token of bert-base where one-hot rows take 172 kB", () => {
  const sum = ({ rounds: _, ...links }: object & { rounds: number }): number =>
    Object.values(links as Record<string, number>).reduce((all, count) => all + count, 0);
  const places = costOf(privateLookup, lookup(1, 30522, 768, 44));
  const rows = costOf(knownWeightMatmul, oneHot(1, 30522, 768, 44));
  expect(sum(places)).toBe(4724);
  expect(sum(rows)).toBe(172_095);
});

it("gives the rows, each to client and server in shares, at the ends of the table too", () => {
  const table = Float64Array.from({ length: 300 * 3 }, (_, k) => (k % 97) / 16 - 3);
  const places = Float64Array.of(0, 299, -1, 255, 256, -300, 128);
  const { values, client, server } = execute(privateLookup, lookup(7, 300, 3, 40), [table, places]);
  const row = (at: number): readonly number[] => [...table.slice(3 * at, 3 * at + 3)];
  expect([...values]).toEqual([...places].flatMap((at) => row(at < 0 ? at + 300 : at)));
  // Neither share is the row itself.
  for (const held of [client, server]) {
    if (held.kind !== "share") throw new Error("expected shares");
    expect(new Set(held.tensor.data).size).toBeGreaterThan(20);
  }
});

const test = leakCase(
  privateLookup,
  [
    [[100, -2000, 30000, 4, 5], [1]],
    [[100, -2000, 30000, 4, 5], [4]],
  ],
  (n) => ({ ...lookup(n, 5, 1, 40), result: fixed([n, 1], 12, -8, 8, 40) }),
);
it.each(["server", "dealer"] as const)("hides the place from the %s, unless the roots are known", (corrupted) => {
  const sound = compareViews(test, corrupted, 4000);
  expect(sound.tests).toBeGreaterThan(0);
  expect(sound.z).toBeLessThan(limitOf(sound.tests));
  const broken = compareViews(test, corrupted, 4000, breaks["the zero sharing is 0"]);
  expect(broken.z).toBeGreaterThan(limitOf(broken.tests));
});
