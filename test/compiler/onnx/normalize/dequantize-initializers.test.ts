import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, describe, expect, it } from "vitest";
import { resolveModelOptions } from "../../../../compiler/api/model-options.ts";
import { loadModel } from "../../../../compiler/load/load-model.ts";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { dequantizeInitializers } from "../../../../compiler/onnx/normalize/dequantize-initializers.ts";
import { catalogWeights } from "../../../../compiler/onnx/weights/catalog-weights.ts";
import { modelMetadata } from "../../../../compiler/report/text/model-metadata.ts";
import { openOnnxSession } from "../../../../compiler/run/onnx-session.ts";
import { encodeElements } from "../../../../compiler/tensors/element-codecs.ts";
import { writeSafetensors } from "../../../../compiler/tensors/safetensors.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { numbers } from "../../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";
import { runImported, worst } from "../import/recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-quantised-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [rows, width, inner, classes] = [2, 32, 16, 3];
const integers = (count: number, seed: number, most: number): number[] =>
  numbers(count, seed, 1).map((x) => Math.round(x * most));
const stored = (name: string, dataType: number, dims: number[], int32Data: number[]): proto.ITensorProto => ({
  name,
  dataType,
  dims,
  int32Data,
});
const [uint8, int8] = [2, 3];
const microsoft = {
  opsetImport: [
    { domain: "", version: 21 },
    { domain: "com.microsoft", version: 1 },
  ],
};
const whole = (name: string, i: number): proto.IAttributeProto => ({ name, type: 2, i });

interface Parts {
  /** Of the 4-bit matrix, of the head's 8-bit one, and of the first bias. */
  readonly up?: number;
  readonly head?: number;
  readonly bias?: number;
}

/** x → up, 4 bits in blocks of 16 → relu → a head of 8 bits with a scale for each class. */
function bytesOf({ up = 1, head = 2, bias = 3 }: Parts): Uint8Array {
  return modelBytes(
    {
      name: "quantised",
      initializer: [
        stored(
          "model.up.MatMul.weight_Q4",
          uint8,
          [inner, 2, 8],
          integers(inner * 16, up, 127).map((x) => x + 128),
        ),
        floatTensor("model.up.MatMul.weight_scales", [inner * 2], numbers(inner * 2, up + 10, 0.05)),
        floatTensor("model.up.bias", [inner], numbers(inner, bias, 0.5)),
        stored("classifier.weight_quantized", int8, [classes, inner], integers(classes * inner, head, 127)),
        floatTensor("classifier.weight_scale", [classes], [0.01, 0.02, 0.015]),
        stored("classifier.weight_zero_point", int8, [classes], [3, 0, -4]),
      ],
      input: [floatInfo("x", rows, width)],
      output: [floatInfo("y", rows, classes)],
      node: [
        {
          ...node(
            "MatMulNBits",
            ["x", "model.up.MatMul.weight_Q4", "model.up.MatMul.weight_scales"],
            ["p"],
            "/model/up/MatMul_Q4",
          ),
          domain: "com.microsoft",
          attribute: [whole("K", width), whole("N", inner), whole("bits", 4), whole("block_size", 16)],
        },
        node("Add", ["p", "model.up.bias"], ["u"], "/model/up/Add"),
        node("Relu", ["u"], ["r"], "/model/Relu"),
        {
          ...node(
            "DequantizeLinear",
            ["classifier.weight_quantized", "classifier.weight_scale", "classifier.weight_zero_point"],
            ["classifier.weight_dequantized"],
            "/classifier/DequantizeLinear",
          ),
          attribute: [whole("axis", 0)],
        },
        {
          ...node("Gemm", ["r", "classifier.weight_dequantized"], ["y"], "/classifier/Gemm"),
          attribute: [whole("transB", 1)],
        },
      ],
    },
    { irVersion: 10, ...microsoft },
  );
}
const fileOf = (name: string, parts: Parts): string => {
  const file = join(dir, `${name}.onnx`);
  writeFileSync(file, bytesOf(parts));
  return file;
};
const base = fileOf("base", {});
const x = tensor([rows, width], numbers(rows * width, 40, 1));
const given = new Map([["x", x]]);

async function runtime(file: string) {
  const part = await openOnnxSession(file);
  const outputs = await part.run(new Map([["x", { dtype: "float32", tensor: x }]]));
  await part.release();
  return outputs.get("y")!.tensor;
}

describe("a model with quantized weights", () => {
  it("computes what onnxruntime does; its weights have their own names", async () => {
    const { imported, ownership } = loadModel(resolveModelOptions({ model: base }), { allowAllPublic: true });
    expect(worst(runImported(imported, given).get("y")!, await runtime(base))).toBeLessThan(1e-5);
    const names = ["model.up.weight", "classifier.weight", "model.up.bias"];
    expect(ownership.table.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect([...ownership.catalog.constants]).toEqual([]);
    expect(imported.linears.map(({ module }) => module)).toEqual(["model.up", "classifier"]);
  });

  it.each([
    ["4 bits", { up: 7 }, "model.up.weight"],
    ["8 bits", { head: 7 }, "classifier.weight"],
  ] as const)("a quantised matrix of %s that moved is private, those of the base are public", (name, parts, moved) => {
    const model = fileOf(name, parts);
    const { ownership, surrogate } = loadModel(resolveModelOptions({ model, base }));
    const secret = ownership.table.filter(({ label }) => label === "server");
    expect(secret.map((each) => each.name)).toEqual([moved]);
    expect(secret[0]!.why).toContain("differs from");
    // Ranges are measured with the base's.
    const { weights } = loadModel(resolveModelOptions({ model: base }), { allowAllPublic: true }).imported;
    expect(surrogate.weights.get(moved)).toEqual(weights.get(moved));
    expect(codesOf(() => loadModel(resolveModelOptions({ model: base, base })))).toEqual(["MRL0421"]);
  });

  it("lets patterns name quantized weights", () => {
    const { ownership } = loadModel(resolveModelOptions({ model: base, private: ["classifier.*"] }));
    expect(ownership.labels.get("classifier.weight")).toBe("server");
    expect(ownership.labels.get("model.up.weight")).toBe("public");
  });

  it("puts notes beside the file's own tensors", () => {
    const { model, ownership } = loadModel(resolveModelOptions({ model: base, private: ["classifier.*"] }));
    const { tensors } = modelMetadata({ model, ownership, inputs: new Map(), blockers: [] });
    expect(tensors.get("classifier.weight_quantized")!.known_to).toBe("server");
    expect(tensors.get("model.up.MatMul.weight_Q4")!.known_to).toBe("everyone");
  });

  it("attaches an adapter beside a quantized matrix, which stays public", () => {
    const folder = join(dir, "adapter");
    mkdirSync(folder, { recursive: true });
    const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["classifier"] };
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    const half = (name: string, shape: readonly number[], values: readonly number[]) => ({
      name: `base_model.model.classifier.lora_${name}.weight`,
      dtype: "float32" as const,
      shape,
      bytes: encodeElements("float32", Float64Array.from(values)),
    });
    const [a, b] = [numbers(2 * inner, 50, 0.5), numbers(classes * 2, 51, 0.5)];
    const stored = [half("A", [2, inner], a), half("B", [classes, 2], b)];
    writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(stored));
    const { imported, ownership } = loadModel(resolveModelOptions({ model: base, adapter: folder }));
    expect(ownership.labels.get("classifier.weight")).toBe("public");
    const [before, after] = [
      loadModel(resolveModelOptions({ model: base }), { allowAllPublic: true }).imported,
      imported,
    ].map((each) => runImported(each, given).get("y")!);
    expect(worst(before!, after!)).toBeGreaterThan(0.1);
  });
});

describe("dequantizeInitializers", () => {
  const scale = floatTensor("s", [], [0.5]);
  const unpackedOf = (graph: proto.IGraphProto) =>
    dequantizeInitializers(
      decodeModel(modelBytes({ name: "g", output: [floatInfo("y")], ...graph }, microsoft), "q.onnx"),
    );

  it("takes the pair QuantizeLinear, DequantizeLinear on a stored tensor", () => {
    const model = unpackedOf({
      initializer: [floatTensor("fc.weight", [2, 2], [0.3, 0.25, -0.76, 100]), scale, stored("z", int8, [], [1])],
      input: [floatInfo("x", 1, 2)],
      node: [
        node("QuantizeLinear", ["fc.weight", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["w"]),
        node("MatMul", ["x", "w"], ["y"]),
      ],
    });
    const [weight, ...others] = catalogWeights(model).weights.values();
    expect(others).toEqual([]);
    // 0.5 is rounded to the even 0; 100 ends at 127 − 1 steps.
    expect([...weight!.tensor().data]).toEqual([0.5, 0, -1, 63]);
    expect(model.graph.nodes.map(({ op }) => op)).toEqual(["MatMul"]);
  });

  it("makes one weight of a tensor that is unpacked twice, and keeps tensors with other readers", () => {
    const model = unpackedOf({
      initializer: [stored("fc.weight_DQ_Q8", int8, [2, 2], [1, 2, 3, 4]), scale],
      input: [floatInfo("x", 1, 2)],
      node: [
        node("DequantizeLinear", ["fc.weight_DQ_Q8", "s"], ["a"]),
        node("DequantizeLinear", ["fc.weight_DQ_Q8", "s"], ["b"]),
        node("MatMul", ["x", "a"], ["p"]),
        node("MatMul", ["p", "b"], ["q"]),
        node("Mul", ["q", "s"], ["y"]),
      ],
    });
    expect([...model.graph.initializers.keys()]).toEqual(["s", "fc.weight"]);
  });

  it("unpacks at most a multiple of what the file stores", () => {
    const count = 128;
    const model = unpackedOf({
      initializer: [
        stored("w", int8, [2 ** 15], new Array<number>(2 ** 15).fill(1)),
        ...Array.from({ length: count }, (_, at) => floatTensor(`s${at}`, [], [at + 1])),
      ],
      node: [
        ...Array.from({ length: count }, (_, at) => node("DequantizeLinear", ["w", `s${at}`], [`w${at}`])),
        node(
          "Sum",
          Array.from({ length: count }, (_, at) => `w${at}`),
          ["y"],
        ),
      ],
    });
    expect(codesOf(() => importModel(model))).toContain("MRL0401");
  });

  it("refuses quantized activations, and says what to do instead", () => {
    const graph = {
      initializer: [scale, stored("z", uint8, [], [1])],
      input: [floatInfo("x", 1, 2)],
      node: [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
    };
    expect(codesOf(() => importModel(unpackedOf(graph)))).toEqual(["MRL0401", "MRL0401"]);
    expect(() => importModel(unpackedOf(graph))).toThrow(/quantize the weights alone/);
  });

  it("gives integer factors owners like other weights", () => {
    const graph = {
      name: "g",
      initializer: [stored("fc.weight", int8, [2, 2], [1, 2, 3, 4])],
      input: [
        { name: "x", type: { tensorType: { elemType: int8, shape: { dim: [{ dimValue: 1 }, { dimValue: 2 }] } } } },
      ],
      output: [floatInfo("y")],
      node: [node("MatMulInteger", ["x", "fc.weight"], ["y"])],
    };
    const file = join(dir, "integers.onnx");
    writeFileSync(file, modelBytes(graph));
    const { imported, ownership } = loadModel(resolveModelOptions({ model: file, private: ["fc.*"] }));
    expect(ownership.labels.get("fc.weight")).toBe("server");
    expect(imported.module.values[imported.outputs.get("y")!]!.type.label).toBe("shared");
    const found = runImported(imported, new Map([["x", tensor([1, 2], [5, -1])]]));
    expect([...found.get("y")!.data]).toEqual([2, 6]);
  });
});
