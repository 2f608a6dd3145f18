import { expect, it } from "vitest";
import { maskedExtend } from "../../../../runtime/protocols/truncation/masked-extend.ts";
import { costOf, execute, fixed, quantizeToGrid, reals, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, scale: number, bound: number, width: number) => ({
  operands: [fixed([count], scale, -bound, bound)],
  result: fixed([count], scale, -bound, bound, width),
  attrs: {},
});

it("keeps every value in a wider ring exactly, 210 seeds, rings up to 64", () => {
  const specs = [specOf(100, 12, 16, 44), specOf(100, 0, 1, 64), specOf(100, 8, 1000, 33), specOf(100, 20, 2000, 64)];
  for (let trial = 0; trial < 210; trial++) {
    const spec = specs[trial % 4]!;
    const { hi, scale } = spec.operands[0]!;
    const x = reals(100, -hi, hi, trial);
    const outcome = execute(maskedExtend, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    expect(Array.from(outcome.values)).toEqual(Array.from(quantizeToGrid(x, scale), (v) => v + 0));
  }
});

it("costs LIFT n→m of protocols.md 8: 2(m − n) bits of the dealer, nothing else", () => {
  const spec = specOf(8, 12, 16, 44);
  const n = resolveWidths(maskedExtend, spec).operands[0]!.width;
  expect(costOf(maskedExtend, spec)).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: 2 * (44 - n),
  });
});
