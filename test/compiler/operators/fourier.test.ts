import { describe, expect, it } from "vitest";
import { codesOf } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, imported, int, of } from "./one-node.ts";

const cases: readonly Case[] = [
  { op: "DFT", inputs: [of(2, 6, 1)], opset: 17 },
  { op: "DFT", inputs: [of(2, 5, 2)], opset: 17, attrs: { inverse: 1 } },
  { op: "DFT", inputs: [of(2, 4, 3, 2)], opset: 17, attrs: { axis: 2 } },
  { op: "DFT", inputs: [of(1, 7, 1)], opset: 17, attrs: { onesided: 1 } },
  { op: "DFT", inputs: [of(1, 6, 1), int(4)], opset: 17 },
  { op: "DFT", inputs: [of(1, 3, 2), int(5)], opset: 20 },
  { op: "DFT", inputs: [of(2, 4, 3, 1), undefined, int(1)], opset: 20 },
];
describe("DFT", () => agreesWithRuntime(cases));

it("refuses triples, and the axis of components", () => {
  expect(codesOf(() => imported({ op: "DFT", inputs: [of(1, 4, 3)], opset: 17 }))).toEqual(["MRL0404"]);
  expect(codesOf(() => imported({ op: "DFT", inputs: [of(1, 4, 2)], opset: 17, attrs: { axis: 2 } }))).toEqual([
    "MRL0404",
  ]);
});
