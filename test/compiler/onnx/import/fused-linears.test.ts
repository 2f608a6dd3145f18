import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, expect, it } from "vitest";
import { resolveModelOptions } from "../../../../compiler/api/model-options.ts";
import { loadModel } from "../../../../compiler/load/load-model.ts";
import { encodeElements } from "../../../../compiler/tensors/element-codecs.ts";
import { writeSafetensors } from "../../../../compiler/tensors/safetensors.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { numbers } from "../../../end-to-end/tiny-model.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";
import { runImported, worst } from "./recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-linears-"));
afterAll(() => rmSync(dir, { recursive: true }));
const [rows, width, inner, rank] = [2, 4, 6, 2];

const real = (name: string, f: number): proto.IAttributeProto => ({ name, type: 1, f });
const whole = (name: string, i: number): proto.IAttributeProto => ({ name, type: 2, i });

/** relu(up(x)) and half of a product, expanded or in operators of com.microsoft; matrices are unnamed. */
function model(name: string, fused: boolean): string {
  const domain = fused ? "com.microsoft" : "";
  const up = { ...node(fused ? "FusedGemm" : "Gemm", ["x", "onnx::1", "up.bias"], ["u"], "/up/Gemm"), domain };
  const down = { ...node(fused ? "FusedMatMul" : "MatMul", ["r", "onnx::2"], ["d"], "/down/MatMul"), domain };
  const relu = { name: "activation", type: 3, s: Buffer.from("Relu") };
  const nodes = fused
    ? [
        { ...up, output: ["r"], attribute: [relu] },
        { ...down, output: ["y"], attribute: [real("alpha", 0.5), whole("transB", 1)] },
      ]
    : [up, node("Relu", ["u"], ["r"], "/Relu"), down, node("Mul", ["d", "half"], ["y"], "/Mul")];
  const matrix = numbers(inner * width, 2, 0.5);
  const turned = matrix.map((_, at) => matrix[(at % inner) * width + Math.floor(at / inner)]!);
  const graph = {
    name: "net",
    initializer: [
      floatTensor("onnx::1", [width, inner], numbers(width * inner, 1, 0.5)),
      fused ? floatTensor("onnx::2", [width, inner], turned) : floatTensor("onnx::2", [inner, width], matrix),
      floatTensor("up.bias", [inner], numbers(inner, 3, 0.5)),
      ...(fused ? [] : [floatTensor("half", [], [0.5])]),
    ],
    input: [floatInfo("x", rows, width)],
    output: [floatInfo("y", rows, width)],
    node: nodes,
  };
  const opsets = ["", "com.microsoft"].map((each) => ({ domain: each, version: each === "" ? 17 : 1 }));
  const file = join(dir, `${name}.onnx`);
  writeFileSync(file, modelBytes(graph, { opsetImport: opsets }));
  return file;
}

function adapter(): string {
  const folder = join(dir, "adapter");
  mkdirSync(folder, { recursive: true });
  const config = { peft_type: "LORA", r: rank, lora_alpha: rank, target_modules: ["up", "down"] };
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
  const half = (name: string, shape: readonly [number, number], seed: number) => ({
    name: `base_model.model.${name}.weight`,
    dtype: "float32" as const,
    shape,
    bytes: encodeElements("float32", Float64Array.from(numbers(shape[0] * shape[1], seed, 0.5))),
  });
  const tensors = [
    half("up.lora_A", [rank, width], 10),
    half("up.lora_B", [inner, rank], 11),
    half("down.lora_A", [rank, inner], 12),
    half("down.lora_B", [width, rank], 13),
  ];
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  return folder;
}

it("adapters attach to fused products as to plain ones", () => {
  const x = new Map([["x", tensor([rows, width], numbers(rows * width, 5, 1))]]);
  const [plain, fused] = [model("plain", false), model("fused", true)].map((file) => {
    const { imported, ownership } = loadModel(resolveModelOptions({ model: file, adapter: adapter() }));
    expect(imported.linears.map(({ module }) => module)).toEqual(["up", "down"]);
    expect(ownership.table.map(({ name }) => name)).toContain("down.weight");
    return runImported(imported, x).get("y")!;
  });
  expect(worst(plain!, fused!)).toBeLessThan(1e-9);
});
