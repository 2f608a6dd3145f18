import { expect, it } from "vitest";
import { evaluateOp } from "../../ir/interpret.ts";
import { createPrg } from "../../runtime/core/random.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { execute, fixed, resolveWidths } from "./execute-protocol.ts";
import { seedOf } from "./run-parties.ts";

/** Properties of every lookup protocol. */

/** Lookups of every shape, ring and kind of entry, for indices of these widths. */
export const lookupSpecs = (bits: readonly number[]): readonly Spec[] =>
  bits.flatMap((n) =>
    [11, 24, 33, 64].flatMap((width) =>
      [[], [1], [5], [2, 3]].flatMap((shape) =>
        [[], [2]].map((entry) => {
          const spec = lookupSpec(1, n, width, entry);
          const operands = [{ ...spec.operands[0]!, shape }, spec.operands[1]!];
          return { ...spec, operands, result: { ...spec.result, shape: [...shape, ...entry] } };
        }),
      ),
    ),
  );

/** `count` lookups with an index of `bits` bits in a table at 6 fractional bits; `entry` is the shape of an entry. */
export const lookupSpec = (count: number, bits: number, width: number, entry: readonly number[] = []): Spec => ({
  operands: [fixed([count], 4, -(2 ** (bits - 5)), 2 ** (bits - 5)), fixed([2 ** bits, ...entry], 6, -8, 8)],
  result: fixed([count, ...entry], 6, -8, 8, width),
  attrs: { bits, fraction: 4 },
});

/** Checks every index of the table and some outside, at several ring widths, with numbers and rows as entries. */
export function looksUpExactly(protocol: Protocol, bits: readonly number[]): void {
  const draw = (count: number, trial: number): Float64Array =>
    Float64Array.from(createPrg(seedOf(trial, 7), "entries").ring([count], 10).data!, (word) => (word - 512) / 64);
  const cases = bits.flatMap((n) =>
    [11, 24, 33, 64].flatMap((width) => [[], [3]].map((entry) => [n, width, entry] as const)),
  );

  it.each(
    cases,
  )("is the interpreter's entry for %i bits of index in a ring of %i, entries of shape [%s]", (n, width, entry) => {
    const all = n <= 8 ? 2 ** n : 40;
    // From the lowest negative index to the highest, and two indices that wrap around.
    const grid = Float64Array.from({ length: all }, (_, k) => Math.floor(((k - all / 2) * 2 ** n) / all));
    const x = Float64Array.from([...grid, 2 ** n + 1, -(2 ** n) - 3], (index) => index / 16);
    const spec = lookupSpec(all + 2, n, width, entry);
    const table = draw(2 ** n * Math.max(1, ...entry), n + width);
    const outcome = execute(protocol, spec, [x, table], { trial: n + width });
    expect(outcome.metered).toEqual(outcome.counted);
    const wanted = evaluateOp(
      "lookup",
      [
        { shape: [all + 2], data: x },
        { shape: [2 ** n, ...entry], data: table },
      ],
      spec.attrs,
    );
    expect(outcome.values).toEqual(wanted.data);
  });

  it("refuses an operand whose scale differs from the scale of the index", () => {
    const spec = { ...lookupSpec(4, bits[0]!, 24), attrs: { bits: bits[0]!, fraction: 3 } };
    expect(() => resolveWidths(protocol, spec)).toThrow(/has 4 fractional bits, but the index has 3/);
  });
}
