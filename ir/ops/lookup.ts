import type { Tensor } from "../tensor.ts";
import { isFixed, type Shape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { formatShape } from "./helpers/shapes.ts";

function lookupShape(x: Shape, table: Shape, bits: number): Shape {
  if (table[0] !== 2 ** bits) throw new Error(`expected a table of 2^${bits} entries, found ${formatShape(table)}`);
  return [...x, ...table.slice(1)];
}

/** Entry ⌊x·2^shift⌋ mod 2^bits of the table, for every x. */
function lookUpEntries(x: Tensor, table: Tensor, bits: number, shift: number): Tensor {
  const shape = lookupShape(x.shape, table.shape, bits);
  const size = 2 ** bits;
  const inner = table.data.length / size;
  const out = new Float64Array(x.data.length * inner);
  x.data.forEach((value, k) => {
    const index = Math.floor(value * 2 ** shift) % size;
    const from = (index < 0 ? index + size : index) * inner;
    out.set(table.data.subarray(from, from + inner), k * inner);
  });
  return { shape, data: out };
}

export const lookup = defineOp({
  name: "lookup",
  summary: "entries of a table, by x in units of 2^−fraction, mod 2^bits: negative x count from the end",
  operands: ["x", "table"],
  attrs: {
    bits: { kind: "int", summary: "the table has 2^bits entries along its first axis" },
    fraction: { kind: "int", default: 0, summary: "fractional bits of x that count" },
  },
  shape: ([x, table], attrs) => lookupShape(x!, table!, numberOf(attrs, "bits")),
  element: ([, table], _attrs, current) => (current && isFixed(current) ? current : table!),
  range: ([, table]) => table!,
  linear: "none",
  evaluate: ([x, table], attrs) => lookUpEntries(x!, table!, numberOf(attrs, "bits"), numberOf(attrs, "fraction")),
  fixed: ([x, table], attrs, [scale]) =>
    lookUpEntries(x!, table!, numberOf(attrs, "bits"), numberOf(attrs, "fraction") - scale!),
  scales: ([, table], attrs, { activation }) => ({
    operands: [numberOf(attrs, "fraction"), table ?? activation],
    result: table ?? activation,
  }),
});
