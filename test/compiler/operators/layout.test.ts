import { describe, expect, it } from "vitest";
import { codesOf } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, float, floats, imported, int, ints, of } from "./one-node.ts";

const pads: readonly Case[] = [
  { op: "Pad", inputs: [of(2, 3), ints(1, 0, 0, 2), float(1.5)] },
  { op: "Pad", inputs: [of(2, 5), ints(1, -1, 2, -2)] },
  { op: "Pad", inputs: [of(2, 3, 4), ints(2, 1, 0, 3), undefined, ints(-1, 0)] },
  { op: "Pad", inputs: [of(2, 5), ints(1, 3, 0, 4)], attrs: { mode: "reflect" } },
  { op: "Pad", inputs: [of(2, 3), ints(1, 3, 0, 4)], attrs: { mode: "edge" } },
  { op: "Pad", inputs: [of(2, 3), ints(1, 2, 0, 1)], attrs: { mode: "wrap" } },
  { op: "Pad", inputs: [of(2, 3)], attrs: { pads: [1, 0, 0, 2], value: { float: 2 } }, opset: 10 },
];
describe("Pad", () => agreesWithRuntime(pads));

const blocks: readonly Case[] = [
  { op: "DepthToSpace", inputs: [of(2, 8, 2, 3)], attrs: { blocksize: 2 } },
  { op: "DepthToSpace", inputs: [of(2, 18, 2, 1)], attrs: { blocksize: 3, mode: "CRD" } },
  { op: "SpaceToDepth", inputs: [of(2, 3, 4, 6)], attrs: { blocksize: 2 } },
];
describe("blocks", () => agreesWithRuntime(blocks));

const places: readonly Case[] = [
  { op: "GatherElements", inputs: [of(3, 4), { ...ints(0, 2, -1, 1), shape: [2, 2] }], attrs: { axis: 0 } },
  { op: "GatherElements", inputs: [of(2, 2, 4), { ...ints(3, -4), shape: [2, 1, 1] }], attrs: { axis: 2 } },
  {
    op: "GatherElements",
    inputs: [of(2, 3, 2), { shape: [2, 2, 1], values: [0, -1, 2, 1], dtype: "int64" }],
    attrs: { axis: 1 },
  },
  { op: "GatherElements", inputs: [floats(3, 3, 3), { shape: [2], values: [2, -3], dtype: "int64" }] },
  { op: "ScatterElements", inputs: [of(3, 3), { ...ints(1, 0, 2, 0, -1, 1), shape: [2, 3] }, of(2, 3)] },
  { op: "ScatterElements", inputs: [of(1, 5), { ...ints(1, 3), shape: [1, 2] }, of(1, 2)], attrs: { axis: 1 } },
  { op: "OneHot", inputs: [{ ...ints(0, 3, -1, 9), shape: [2, 2] }, int(4), floats(-1, 2)] },
  {
    op: "OneHot",
    inputs: [{ ...ints(0, 3, -1), known: undefined } as never, int(4), floats(0.5, 2)],
    attrs: { axis: 0 },
  },
];
describe("places", () => agreesWithRuntime(places));

const sums: readonly Case[] = [
  { op: "CumSum", inputs: [of(2, 4), int(1)], attrs: { exclusive: 1 } },
  { op: "CumSum", inputs: [of(2, 4), int(0)], attrs: { reverse: 1 } },
  { op: "CumSum", inputs: [of(2, 4), int(-1)], attrs: { reverse: 1, exclusive: 1 } },
];
describe("CumSum", () => agreesWithRuntime(sums));

const diagonals: readonly Case[] = [
  { op: "EyeLike", inputs: [of(3, 4)], attrs: { k: 1 } },
  { op: "EyeLike", inputs: [of(3, 2)], attrs: { k: -1, dtype: 7 } },
];
describe("EyeLike", () => agreesWithRuntime(diagonals));

it("refuses indices that are secret or outside, and unknown modes", () => {
  const code = (each: Case) => codesOf(() => imported(each));
  const indices = { ...ints(0, 2), shape: [1, 2] };
  expect(code({ op: "GatherElements", inputs: [of(1, 2), indices], attrs: { axis: 1 } })).toEqual(["MRL0404"]);
  expect(
    code({ op: "ScatterElements", inputs: [of(1, 4), indices, of(1, 2)], attrs: { axis: 1, reduction: "add" } }),
  ).toEqual(["MRL0404"]);
  expect(code({ op: "Pad", inputs: [of(2), ints(1, 1)], attrs: { mode: "other" } })).toEqual(["MRL0404"]);
  expect(code({ op: "Pad", inputs: [of(2), ints(1)] })).toEqual(["MRL0404"]);
  expect(code({ op: "DepthToSpace", inputs: [of(1, 4, 1, 1)], attrs: { blocksize: 2, mode: "other" } })).toEqual([
    "MRL0404",
  ]);
});
