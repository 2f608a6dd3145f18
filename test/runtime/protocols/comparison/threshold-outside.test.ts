import { expect, it } from "vitest";
import { thresholdOutside } from "../../../../runtime/protocols/comparison/threshold-outside.ts";
import { costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, attrs: Readonly<Record<string, number | string>>) => ({
  operands: [fixed([count], 3, -8, 8)],
  result: fixed([count], 0, 0, 1, 1),
  attrs: { headroom: 0, ...attrs },
});
const methods = [{}, { comparison: "tree" }, { comparison: "dpf" }, { digit: 3 }];
const bounds = [
  { lo: -1, hi: 2 },
  { lo: -8, hi: 8 },
  { lo: 0, hi: 0 },
  { lo: -1.06, hi: 2.06 },
  { lo: 0.125, hi: 7 },
];

it.each(bounds)("tells every value that its ring holds, far beyond the bounds of the operand: $lo to $hi", (at) => {
  for (const [headroom, reach] of [
    [0, 8],
    [3, 64],
  ] as const) {
    const every = Float64Array.from({ length: 16 * reach + 1 }, (_, k) => k / 8 - reach);
    for (const [trial, method] of methods.entries()) {
      const outcome = execute(thresholdOutside, specOf(every.length, { ...at, ...method, headroom }), [every], {
        trial,
      });
      expect([...outcome.values]).toEqual([...every].map((x) => Number(x < at.lo || x > at.hi)));
      expect(outcome.metered).toEqual(outcome.counted);
    }
  }
});

it("takes 1 round with digit tables and none with point functions; both thresholds share what is dealt", () => {
  const digits = costOf(thresholdOutside, specOf(8, { lo: -1, hi: 2, headroom: 4 }));
  const points = costOf(thresholdOutside, specOf(8, { lo: -1, hi: 2, headroom: 4, comparison: "dpf" }));
  expect([digits.rounds, points.rounds]).toEqual([1, 0]);
  expect(points.clientToServer).toBe(0);
});

it("opens `headroom` bits more than its operand needs", () => {
  const widthAt = (headroom: number) =>
    resolveWidths(thresholdOutside, specOf(1, { lo: -1, hi: 1, headroom })).operands[0]!.width;
  expect(widthAt(8)).toBe(widthAt(0) + 8);
});

it("refuses bounds that no value lies between, and bounds beyond the ring", () => {
  expect(() => resolveWidths(thresholdOutside, specOf(1, { lo: 2, hi: 1 }))).toThrow(/no value lies between/);
  expect(() => resolveWidths(thresholdOutside, specOf(1, { lo: -100, hi: 1 }))).toThrow(/wider than the ring/);
});
