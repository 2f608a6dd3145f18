import { expect, test } from "vitest";
import type { Program } from "../../../runtime/program/program.ts";
import { intTensor } from "../../../runtime/ring/tensor.ts";
import { refuseOutside } from "../../../runtime/session/input-bounds.ts";

const declared = { shape: [2], width: 8, scale: 1, lo: -4, hi: 4 };
const inputs = { x: declared, y: { ...declared, of: "server" }, z: { ...declared, of: "shared" } } as const;
const program = { inputs } as unknown as Program;
const pair = (a: number, b: number) => intTensor([2], Float64Array.of(a, b));
const fine = { x: pair(-8, 8), y: pair(-8, 8), z: pair(-128, 127) };

test.each([
  ["client", {}, undefined],
  ["server", {}, undefined],
  ["client", { x: pair(0, 9) }, /input x: 1 values are beyond the public bounds \[-4, 4\]/],
  ["client", { x: pair(-9, 9) }, /input x: 2 values/],
  ["server", { x: pair(0, 9) }, undefined],
  ["server", { y: pair(0, -9) }, /input y: 1 values/],
  ["client", { y: pair(0, -9) }, undefined],
  // Both hold a residue: any integer of the ring, and nothing else.
  ["client", { z: pair(0, 128) }, /input z: expected a residue of 8 bits/],
  ["server", { z: pair(-129, 0) }, /input z: expected a residue/],
  ["server", { z: pair(0.5, 0) }, /input z: expected a residue/],
  ["server", { z: undefined }, /input z: expected a residue/],
] as const)("the %s with %j", (role, changed, refusal) => {
  const given = { ...fine, ...changed } as Parameters<typeof refuseOutside>[1];
  if (refusal) expect(() => refuseOutside(program, given, role)).toThrow(refusal);
  else expect(() => refuseOutside(program, given, role)).not.toThrow();
});
