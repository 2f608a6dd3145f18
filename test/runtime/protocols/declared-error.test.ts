import { afterAll, expect, it } from "vitest";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { declaredUlps, execute, worstUlps } from "../../harness/protocols.ts";
import { expectedOf, inputsOf, specsOf } from "../../harness/specs.ts";

/** Elements (or rows) have masks and shares of their own: each is one draw of all the randomness that its error depends on. */
const DRAWS = 1000;

const table: string[] = [];
afterAll(() => console.log(["worst error, in units in the last place", ...table].join("\n")));

it.each([...protocols.values()])(`$name stays within its declared error over ${DRAWS} draws`, (protocol) => {
  const row = specsOf(protocol);
  // Every spec once, then those again that draw most at a time.
  const again = row.specs.toSorted((a, b) => row.draws(b) - row.draws(a)).slice(0, 10);
  let draws = 0;
  let tightest = { found: 0, declared: 0 };
  for (let trial = 0; draws < DRAWS; trial++) {
    const spec = row.specs[trial] ?? again[trial % again.length]!;
    const inputs = inputsOf(row, spec, trial);
    const found = worstUlps(execute(protocol, spec, inputs, { trial }), expectedOf(protocol, spec, inputs));
    const declared = declaredUlps(protocol, spec);
    expect(found, `trial ${trial}: ${JSON.stringify(spec)}`).toBeLessThanOrEqual(declared);
    if (found * tightest.declared >= tightest.found * declared) tightest = { found, declared };
    draws += row.draws(spec);
  }
  const share = tightest.declared > 0 ? ` (${((100 * tightest.found) / tightest.declared).toFixed(0)} %)` : "";
  table.push(
    `${protocol.name.padEnd(32)} ${tightest.found.toFixed(2).padStart(9)} of ${tightest.declared.toFixed(2)}${share}, ${draws} draws`,
  );
});
