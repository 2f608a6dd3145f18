import { expect, test } from "vitest";
import { halfPrecisionCaveats } from "../../../compiler/compile/half-precision.ts";
import { decodeModel } from "../../../compiler/onnx/format/index.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

const caveatsOf = (to: number) =>
  halfPrecisionCaveats(
    decodeModel(
      modelBytes({
        name: "halves",
        initializer: [floatTensor("w", [2, 2], [1, 2, 3, 4])],
        input: [floatInfo("x", 1, 2)],
        output: [floatInfo("y", 1, 2)],
        node: [
          { ...node("Cast", ["x"], ["h"], "/to_half"), attribute: [{ name: "to", type: 2, i: to }] },
          { ...node("Cast", ["h"], ["s"], "/back"), attribute: [{ name: "to", type: 2, i: 1 }] },
          node("MatMul", ["s", "w"], ["y"]),
        ],
      }),
      "halves.onnx",
    ),
  );

test("a model that rounds to half precision has a caveat, which names where", () => {
  for (const half of [10, 16]) expect(caveatsOf(half)).toEqual([expect.stringContaining("of which 1 Cast: /to_half.")]);
  expect(caveatsOf(1)).toEqual([]);
});
