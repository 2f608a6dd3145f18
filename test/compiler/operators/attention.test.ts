import { describe } from "vitest";
import { agreesWithRuntime, type Case, type In, ints, of } from "./one-node.ts";

const [batch, heads, rows, columns, depth] = [2, 4, 3, 5, 6];
const q = of(batch, heads, rows, depth);
const keys = (groups: number, width = depth): In => of(batch, groups, columns, width);
const none = undefined;
const real = (float: number) => ({ float });

/** Row 0 has no score at all. */
const gappy: In = {
  shape: [rows, columns],
  values: [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1],
  dtype: "bool",
  known: true,
};

const cases: readonly Case[] = [
  { op: "Attention", inputs: [q, keys(4), keys(4)], attrs: { softcap: real(0.75) }, opset: 23 },
  { op: "Attention", inputs: [q, keys(2), keys(2, 3)], attrs: { softcap: real(1.5), is_causal: 1 }, opset: 23 },
  ...[0, 1, 2, 3].map(
    (mode): Case => ({
      op: "Attention",
      inputs: [q, keys(4), keys(4), of(rows, columns)],
      attrs: { qk_matmul_output_mode: mode },
      outputs: [true, false, false, true],
      opset: 23,
    }),
  ),
  {
    op: "Attention",
    inputs: [q, keys(4), keys(4), none, of(batch, heads, 2, depth), of(batch, heads, 2, depth)],
    attrs: { softcap: real(2), is_causal: 1 },
    outputs: [true, true, true],
    opset: 23,
  },
  { op: "Attention", inputs: [q, keys(4), keys(4), gappy], opset: 23 },
  { op: "Attention", inputs: [q, keys(4), keys(4), none, none, none, ints(2, 5)], opset: 24 },
  { op: "Attention", inputs: [q, keys(4), keys(4), none, none, none, ints(1, 4)], attrs: { is_causal: 1 }, opset: 24 },
];
describe("Attention", () => agreesWithRuntime(cases));
