import { afterAll, expect, it } from "vitest";
import { seenSpec } from "../../../compiler/accuracy/error-bound.ts";
import { measures } from "../../../passes/4-quantize/inner-ranges.ts";
import type { Protocol, Spec } from "../../../runtime/protocols/kit/define-protocol.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { declaredUlps, execute, resolveWidths, worstUlps } from "../../harness/execute-protocol.ts";
import { expectedOf, inputsOf, specsOf } from "../../harness/spec-table.ts";

/** Elements (or rows) have masks and shares of their own: each is one draw of all the randomness that its error depends on. */
const DRAWS = 1000;
const SHAPES = 30;

/** The spec with the bounds that the values of a run keep, as an error bound of a whole program finds them. */
function seenIn(protocol: Protocol, spec: Spec, inputs: readonly Float64Array[], expected: Float64Array): Spec {
  const extent = (data: Float64Array) => ({ lo: Math.min(...data), hi: Math.max(...data) });
  const op = { operands: inputs.map((_, k) => `x${k}`), result: "y" };
  const values = new Map([...inputs.map((data, k) => [`x${k}`, extent(data)] as const), ["y", extent(expected)]]);
  const tensors = inputs.map((data, k) => ({ shape: spec.operands[k]!.shape, data }));
  const sums =
    "sum_lo" in spec.attrs ? measures[protocol.implements]?.(tensors, { axis: -1, ...spec.attrs }) : undefined;
  return seenSpec(spec, op, { values, inner: new Map(sums && [["y", sums]]) });
}

const table: string[] = [];
afterAll(() => console.log(["worst error, in units in the last place", ...table].join("\n")));

/**
 * One execution serves both: the largest error, and byte for byte and link for link what the ghosts of the cost model
 * say beside what crosses the wires, whatever the shape.
 */
const law = `$name stays within its declared error over ${DRAWS} draws, and sends what is counted for ${SHAPES} shapes`;
it.each([...protocols.values()])(law, (protocol) => {
  const row = specsOf(protocol);
  // Every spec once, then those again that draw most at a time.
  const again = row.specs.toSorted((a, b) => row.draws(b) - row.draws(a)).slice(0, 10);
  let draws = 0;
  let tightest = { found: 0, declared: 0 };
  for (let trial = 0; draws < DRAWS || trial < row.specs.length; trial++) {
    const spec = row.specs[trial] ?? again[trial % again.length]!;
    const inputs = inputsOf(row, spec, trial);
    const outcome = execute(protocol, spec, inputs, { trial });
    expect(outcome.metered, JSON.stringify(spec)).toEqual(outcome.counted);
    const expected = expectedOf(protocol, spec, inputs);
    const found = worstUlps(outcome, expected);
    // The tighter declaration: the error of a run with values as small as those that were drawn.
    const declared = declaredUlps(protocol, spec, seenIn(protocol, spec, inputs, expected));
    expect(declared).toBeLessThanOrEqual(declaredUlps(protocol, spec) * (1 + 1e-9));
    expect(found, `trial ${trial}: ${JSON.stringify(spec)}`).toBeLessThanOrEqual(declared);
    if (found * tightest.declared >= tightest.found * declared) tightest = { found, declared };
    draws += row.draws(spec);
  }
  // The shapes differ in more than names.
  const shapes = new Set(row.specs.map((spec) => JSON.stringify(resolveWidths(protocol, spec))));
  expect(shapes.size).toBeGreaterThanOrEqual(SHAPES);
  const share = tightest.declared > 0 ? ` (${((100 * tightest.found) / tightest.declared).toFixed(0)} %)` : "";
  table.push(
    `${protocol.name.padEnd(32)} ${tightest.found.toFixed(2).padStart(9)} of ${tightest.declared.toFixed(2)}${share}, ${draws} draws`,
  );
});
