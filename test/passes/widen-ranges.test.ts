import { expect, test } from "vitest";
import { widenRanges } from "../../passes/4-quantize/widen-ranges.ts";
import { model } from "./models.ts";

test("what the server computes takes the margin of private weights, what the client shares that of inputs", () => {
  const { module } = model(({ feature, op }) => [
    op("add", [feature("own", [2], "server"), feature("x", [2])], {}, { result: "sum" }),
  ]);
  const values = new Map(["own", "x", "sum"].map((id) => [id, { lo: -2, hi: 3 }]));
  const wide = widenRanges(module, { values, inner: new Map() }, { margin: 64, inputMargin: 4 }).values;
  expect(["own", "x", "sum"].map((id) => wide.get(id)!.hi)).toEqual([192, 12, 192]);
});
