import { describe, expect, it } from "vitest";
import {
  sigmaGelu,
  sigmaSilu,
  tableActivations,
} from "../../../../../runtime/protocols/families/sigma/sigma-activation.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";
import { gelu, silu } from "../../../../harness/reference-functions.ts";

const spec = (count: number, width = 50, bound = 60) => ({
  operands: [fixed([count], 12, -bound, bound)],
  result: fixed([count], 12, -1, bound, width),
  attrs: {},
});

describe.each([
  { protocol: sigmaGelu, table: tableActivations.gelu, f: gelu },
  { protocol: sigmaSilu, table: tableActivations.silu, f: silu },
])("$protocol.name", ({ protocol, table, f }) => {
  it("stays within its declared error over 1,200 masks, two rings; counted = metered", () => {
    for (const width of [37, 50]) {
      for (const bound of [3, 60]) {
        const x = reals(300, -bound, bound, bound);
        const outcome = execute(protocol, spec(300, width, bound), [x], { trial: width });
        expect(outcome.metered).toEqual(outcome.counted);
        const worst = worstUlps(outcome, quantizeToGrid(x, 12).map(f));
        expect(worst).toBeLessThanOrEqual(declaredUlps(protocol, spec(300, width, bound)));
        // Not too loose either, where values are dense.
        if (bound === 3) expect(worst * 3).toBeGreaterThan(declaredUlps(protocol, spec(300, width, bound)));
      }
    }
  });

  it("has the error that its table states: the function on 6 fractional bits", () => {
    const end = 2 ** table.indexBits / 64;
    let worst = 0;
    for (let x = -end - 1; x <= end + 1; x += 1 / 1024) {
      const coarse = Math.min(Math.abs(Math.floor(x * 64 + 0.5)), 2 ** table.indexBits - 1);
      worst = Math.max(worst, Math.abs(Math.max(x, 0) - table.reluDeficit(coarse / 64) - f(x)));
    }
    expect(worst).toBeLessThanOrEqual(table.error);
    expect(worst * 1.2).toBeGreaterThan(table.error);
  });

  it("costs what protocols.md 5 says of SIGMA's GELU, beside the result's opening: 1 + w, 2, index and 1 + n bits", () => {
    const bits = 1 + (50 - 2 * 12 + 7) + 2 + table.indexBits + (1 + 50);
    expect(costOf(protocol, spec(8))).toMatchObject({ clientToServer: bits, serverToClient: bits });
  });
});
