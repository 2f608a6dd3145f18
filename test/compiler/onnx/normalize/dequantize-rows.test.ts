import type { onnx as proto } from "onnx-proto";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { dequantizeInitializers } from "../../../../compiler/onnx/normalize/dequantize-initializers.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { codesOf, modelBytes, node } from "../format/build-model.ts";
import { runImported } from "../import/recorded.ts";

/** Rows of a stored integer table [5, 3], gathered at two indices and then unpacked, as tools quantize embeddings. */
function model(scales: readonly number[], axis: number): Uint8Array {
  const int = (name: string, i: number): proto.IAttributeProto => ({ name, type: 2, i });
  const dims = scales.length === 1 ? [] : [scales.length];
  const points = scales.map((_, at) => 3 * at - 2);
  return modelBytes(
    {
      name: "g",
      initializer: [
        {
          name: "embed.weight_quantized",
          dims: [5, 3],
          dataType: 3,
          int32Data: [...Array(15).keys()].map((k) => 9 * k - 60),
        },
        { name: "embed.weight_scale", dims, dataType: 1, floatData: [...scales] },
        { name: "embed.weight_zero_point", dims, dataType: 3, int32Data: points },
      ],
      input: [
        { name: "ids", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 1 }, { dimValue: 2 }] } } } },
      ],
      output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
      node: [
        { ...node("Gather", ["embed.weight_quantized", "ids"], ["rows"]), attribute: [int("axis", 0)] },
        {
          ...node("DequantizeLinear", ["rows", "embed.weight_scale", "embed.weight_zero_point"], ["y"]),
          attribute: [int("axis", axis)],
        },
      ],
    },
    { irVersion: 9, opsetImport: [{ domain: "", version: 19 }] },
  );
}

it.each([
  ["one scale", [0.25], 1],
  ["a scale for each column", [0.25, 0.5, 0.0625], -1],
] as const)("a table that is unpacked behind its look-up is a stored weight: %s", async (_, scales, axis) => {
  const bytes = model(scales, axis);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const { y } = await session.run({ ids: new OrtTensor("int64", BigInt64Array.of(4n, 1n), [1, 2]) });
  const unpacked = dequantizeInitializers(decodeModel(bytes, "m.onnx"));
  expect([...unpacked.graph.initializers.keys()]).toEqual(["embed.weight"]);
  expect(unpacked.graph.nodes.map(({ op }) => op)).toEqual(["Gather"]);
  const found = runImported(importModel(unpacked), new Map([["ids", tensor([1, 2], [4, 1])]]));
  expect([...found.get("y")!.data]).toEqual([...(y!.data as Float32Array)]);
});

it("refuses scales along the gathered axis by name", () => {
  const bytes = model([0.25, 0.5, 0.0625], 2);
  expect(codesOf(() => importModel(dequantizeInitializers(decodeModel(bytes, "m.onnx"))))).toEqual(["MRL0401"]);
});
