import { expect, it } from "vitest";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { execute, resolve } from "../../harness/protocols.ts";
import { inputsOf, specsOf } from "../../harness/specs.ts";

/** Byte for byte and link for link: what the ghosts of the cost model say is what crosses the wires, whatever the shape. */
it.each([...protocols.values()])("$name: counted = metered for at least 30 shapes", (protocol) => {
  const row = specsOf(protocol);
  for (const [trial, spec] of row.specs.entries()) {
    const { metered, counted } = execute(protocol, spec, inputsOf(row, spec, trial), { trial });
    expect(metered, JSON.stringify(spec)).toEqual(counted);
  }
  // The shapes differ in more than names.
  const shapes = new Set(row.specs.map((spec) => JSON.stringify(resolve(protocol, spec))));
  expect(shapes.size).toBeGreaterThanOrEqual(30);
});
