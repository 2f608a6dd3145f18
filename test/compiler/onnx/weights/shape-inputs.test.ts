import { expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { catalogWeights } from "../../../../compiler/onnx/weights/catalog-weights.ts";
import { shapeOnlyNames } from "../../../../compiler/onnx/weights/shape-inputs.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";

const inner = {
  name: "body",
  input: [],
  output: [floatInfo("doubled", 2)],
  node: [node("Add", ["seen", "seen"], ["doubled"])],
};
const condition = { name: "c", dims: [], dataType: 9, int32Data: [1] };

/** `scales` and the parts of `joined` only decide shapes; `used` is added to something too, `seen` read by a branch. */
const model = decodeModel(
  modelBytes(
    {
      name: "g",
      input: [floatInfo("x", 2, 2)],
      output: [floatInfo("a"), floatInfo("b"), floatInfo("d"), floatInfo("e"), floatInfo("s")],
      initializer: [
        floatTensor("scales", [2], [2, 1.5]),
        floatTensor("half", [1], [3]),
        floatTensor("other", [1], [0.5]),
        floatTensor("used", [2], [2.5, 1]),
        floatTensor("seen", [2], [1.5, 2]),
        condition,
      ],
      node: [
        node("Resize", ["x", "", "scales"], ["a"]),
        { ...node("Concat", ["half", "other"], ["joined"]), attribute: [{ name: "axis", type: 2, i: 0 }] },
        node("Resize", ["x", "", "joined"], ["b"]),
        node("Resize", ["x", "", "used"], ["d"]),
        node("Add", ["x", "used"], ["s"]),
        {
          ...node("If", ["c"], ["seen_twice"]),
          attribute: [
            { name: "then_branch", type: 5, g: inner },
            {
              name: "else_branch",
              type: 5,
              g: { ...inner, output: [floatInfo("twice", 2)], node: [node("Add", ["seen", "seen"], ["twice"])] },
            },
          ],
        },
        node("Resize", ["x", "", "seen_twice"], ["e"]),
      ],
    },
    { opsetImport: [{ domain: "", version: 18 }] },
  ),
  "m.onnx",
);

it("separates inputs that only decide shapes from operands", () => {
  const names = shapeOnlyNames(model.graph);
  expect(["scales", "half", "other", "joined"].filter((name) => !names.has(name))).toEqual([]);
  expect(["x", "used", "seen", "a"].filter((name) => names.has(name))).toEqual([]);
});

it("treats resize factors as part of the graph, and never a weight", () => {
  const { constants, weights } = catalogWeights(model);
  expect(["scales", "half", "other"].filter((name) => !constants.has(name))).toEqual([]);
  expect([...weights.keys()].sort()).toEqual(["seen", "used"]);
});

it("refuses a weight that decides a shape", () => {
  expect(() => importModel(model)).toThrow(/expected scales to be constant/);
});
