import { expect, it } from "vitest";
import { maskedAbs, thresholdSign } from "../../../../runtime/protocols/comparison/sign-and-abs.ts";
import { costOf, execute, fixed } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, to: number, width: number) => ({
  operands: [fixed([count], 3, -8, 8)],
  result: fixed([count], to, -1, 8, width),
  attrs: {},
});
/** Every value of the operand. */
const all = Float64Array.from({ length: 129 }, (_, k) => (k - 64) / 8);

it("abs and sign are exact for every value, over 1,000 draws", () => {
  for (let trial = 0; trial < 8; trial++) {
    const width = [9, 24, 40, 64][trial % 4]!;
    const abs = execute(maskedAbs, specOf(129, 3, width), [all], { trial });
    expect([...abs.values]).toEqual([...all].map(Math.abs));
    const sign = execute(thresholdSign, specOf(129, 0, width), [all], { trial });
    expect([...sign.values].map((v) => v + 0)).toEqual([...all].map((v) => Math.sign(v) + 0));
    expect([abs.metered, sign.metered]).toEqual([abs.counted, sign.counted]);
  }
});

it("take 2 rounds; both thresholds of sign share the tables", () => {
  const [abs, sign] = [costOf(maskedAbs, specOf(8, 3, 24)), costOf(thresholdSign, specOf(8, 0, 24))];
  expect([abs.rounds, sign.rounds]).toEqual([2, 2]);
  expect(sign.clientToServer).toBe(2 * abs.clientToServer);
});
