import { expect, it } from "vitest";
import { sigmaLayerNorm, sigmaRmsNorm } from "../../../../../runtime/protocols/families/sigma/sigma-norm.ts";
import type { Spec } from "../../../../../runtime/protocols/kit/define-protocol.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";
import { normRows } from "../../../../harness/reference-functions.ts";

const epsilon = 1e-5;
const specOf = (rows: number, n: number, bound: number, width: number): Spec => ({
  operands: [fixed([rows, n], 12, -bound, bound)],
  result: fixed([rows, n], 12, -5, 5, width),
  attrs: { epsilon, sum_lo: (n * bound * bound) / 20, sum_hi: n * bound * bound },
});

it.each([
  { protocol: sigmaRmsNorm, centred: false },
  { protocol: sigmaLayerNorm, centred: true },
])("$protocol.name stays within its declared error over 1,400 masks; counted = metered", ({ protocol, centred }) => {
  for (const spec of [specOf(4, 128, 16, 50), specOf(6, 32, 2, 44), specOf(1, 768, 8, 51)]) {
    const { hi, shape } = spec.operands[0]!;
    const [rows, n] = shape as [number, number];
    const x = reals(rows * n, -hi, hi, n);
    const outcome = execute(protocol, spec, [x], { trial: n });
    expect(outcome.metered).toEqual(outcome.counted);
    const worst = worstUlps(outcome, normRows(quantizeToGrid(x, 12), n, epsilon, centred));
    expect(worst).toBeLessThanOrEqual(declaredUlps(protocol, spec));
    // A first-order sum of worst cases that do not meet: seeds reach a sixtieth of it.
    expect(worst * 60).toBeGreaterThan(declaredUlps(protocol, spec));
  }
});

it("sends n + 1 bits each way for an element beside the result's opening, and a little for each row", () => {
  const wide = costOf(sigmaLayerNorm, specOf(1, 4096, 8, 50));
  expect(wide.clientToServer * 8).toBeGreaterThanOrEqual(4096 * 51);
  expect(wide.clientToServer * 8).toBeLessThan(4096 * 51 + 1000);
});
