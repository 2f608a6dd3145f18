import { expect, it } from "vitest";
import { tournamentArgmax } from "../../../../runtime/protocols/ordering/argmax.ts";
import { levelCount } from "../../../../runtime/protocols/ordering/row-max.ts";
import { costOf, execute, fixed, reals } from "../../../harness/execute-protocol.ts";

const specOf = (rows: number, length: number, radix: number, width = 8) => ({
  operands: [fixed([rows, length], 2, -1, 1)],
  result: fixed([rows], 0, 0, length - 1, width),
  attrs: { axis: 1, keepdims: false, radix },
});

it.each([2, 3, 4])("is the first of the largest with radix %i, over 1,000 draws full of ties", (radix) => {
  for (let length = 1; length <= 17; length += 2) {
    // Nine values: rows of more have equal ones.
    const x = reals(60 * length, -1, 1, length + radix).map((v) => Math.round(v * 4) / 4);
    const rows = [...Array(60).keys()].map((row) => [...x.subarray(row * length, (row + 1) * length)]);
    const outcome = execute(tournamentArgmax, specOf(60, length, radix, [6, 40, 64][length % 3]!), [x], {
      trial: length,
    });
    expect([...outcome.values]).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
    expect(outcome.metered).toEqual(outcome.counted);
    // The last level opens no winner.
    const levels = levelCount(length, radix);
    expect(costOf(tournamentArgmax, specOf(60, length, radix)).rounds).toBe(Math.max(0, 3 * levels - 1));
  }
});
