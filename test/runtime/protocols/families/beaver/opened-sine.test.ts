import { expect, it } from "vitest";
import { openedSine } from "../../../../../runtime/protocols/families/beaver/opened-sine.ts";
import type { Spec } from "../../../../../runtime/protocols/kit/define-protocol.ts";
import {
  bytes,
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";

const sines = [-0.0818, 1.25, 0, 0.3];
const specOf = (count: number, period: number, scale = 16): Spec => ({
  operands: [fixed([count], 16, -100, 100)],
  result: fixed([count], scale, -2, 2, 64),
  attrs: { period, sines },
});

it("sums the harmonics within its declared error, far beyond one period too; 80 draws of shares", () => {
  for (let trial = 0; trial < 80; trial++) {
    const spec = specOf(30, [8, 16, 32][trial % 3]!, [16, 12][trial % 2]!);
    const x = quantizeToGrid(reals(30, -100, 100, trial), 16);
    const outcome = execute(openedSine, spec, [x], { trial });
    const turn = (2 * Math.PI) / Number(spec.attrs.period);
    const exact = x.map((v) => sines.reduce((sum, s, k) => sum + s * Math.sin((k + 1) * turn * v), 0));
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(openedSine, spec));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("opens the low bits of the period alone: 38 bits for a period of 8, where the published code opens 128", () => {
  expect(costOf(openedSine, specOf(8, 8))).toEqual({
    rounds: 1,
    clientToServer: bytes(8 * 19),
    serverToClient: bytes(8 * 19),
    dealerToServer: bytes(8 * 2 * sines.length * 64),
  });
});

it("refuses a period that is not a power of two: x would have to be opened modulo something else", () => {
  expect(() => resolveWidths(openedSine, specOf(8, 20))).toThrow(/not a power of two/);
});
