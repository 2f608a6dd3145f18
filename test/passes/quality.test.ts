import { expect, test } from "vitest";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import { precisionsOf, qualities } from "../../passes/4-quantize/quality.ts";

test("every quality ends with the precision of fast, so that it compiles whatever fast does", () => {
  expect(Object.values(qualities).map((all) => all.at(-1))).toEqual([
    defaultPrecision,
    defaultPrecision,
    defaultPrecision,
  ]);
  expect(qualities.fast).toHaveLength(1);
});

test("a quality only loses bits of queries and values from one precision to the next, until it is another's", () => {
  for (const quality of ["balanced", "precise"] as const) {
    const all = qualities[quality];
    all.slice(1).forEach((next, k) => {
      expect(next.query).toBeLessThanOrEqual(next.activation === all[k]!.activation ? all[k]!.query : 12);
      expect(next.activation).toBeLessThanOrEqual(all[k]!.activation);
    });
  }
});

test("bits by hand hold in every precision of the quality, and those of weights take the place of significant ones", () => {
  const given = precisionsOf("balanced", { query: 9, weight: 11 });
  expect(
    given.every(({ query, weight, significant }) => query === 9 && weight === 11 && significant === undefined),
  ).toBe(true);
  expect(new Set(given.map((each) => JSON.stringify(each))).size).toBe(given.length);
});
