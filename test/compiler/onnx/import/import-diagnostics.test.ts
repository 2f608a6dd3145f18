import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { catalogWeights } from "../../../../compiler/onnx/weights/catalog-weights.ts";
import { isFormulaTable } from "../../../../compiler/onnx/weights/formula-tables.ts";
import { DiagnosticError } from "../../../../ir/diagnostic.ts";
import { opsOf } from "../../../../ir/module.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";

const decode = (graph: Parameters<typeof modelBytes>[0], extra = {}) => decodeModel(modelBytes(graph, extra), "m.onnx");

function diagnosticsOf(run: () => unknown) {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics;
  }
}

describe("importModel", () => {
  it("reports all unknown operators with layer and help, except unused ones", () => {
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2, 2)],
      output: [floatInfo("y", 2, 2)],
      node: [
        node("Multinomial", ["x"], ["a"], "/model/layers.3/mlp/Multinomial"),
        { ...node("SparseAttention", ["a"], ["b"], "/model/layers.4/attn/Sparse"), domain: "com.microsoft" },
        node("Nonsense", ["b"], ["y"]),
        node("Whatever", ["x"], ["unused"]),
      ],
    });
    const found = diagnosticsOf(() => importModel(model));
    expect(found.map(({ code }) => code)).toEqual(["MRL0401", "MRL0401", "MRL0401"]);
    expect(found[0]!.at).toContain("layers.3");
    expect(found[0]!.help).toContain("logits");
    expect(found[1]!.message).toContain("com.microsoft");
    expect(found[2]!.at).toContain('"#2"');
  });

  const symbolic = (name: string, ...dims: (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: 1,
        shape: { dim: dims.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim })) },
      },
    },
  });
  const dynamic = decode({
    name: "g",
    input: [
      symbolic("x", "batch_size", "sequence_length"),
      symbolic("past", "batch_size", "past_sequence_length + sequence_length", "2*heads"),
    ],
    output: [floatInfo("y"), floatInfo("z")],
    node: [node("Neg", ["x"], ["y"]), node("Neg", ["past"], ["z"])],
  });
  const bind = (dims: Record<string, number>) => () => importModel(dynamic, { dims: new Map(Object.entries(dims)) });

  it("lists all dimensions without a size in one diagnostic", () => {
    const [first, ...more] = diagnosticsOf(bind({ batch: 1 }));
    expect(more).toEqual([]);
    expect(first).toMatchObject({ code: "MRL0402" });
    expect(first!.message).toContain("sequence_length, past_sequence_length, heads");
    expect(first!.help).toContain("--dim heads=…");
  });

  it("evaluates expressions, and accepts short names", () => {
    const { module, outputs } = bind({ batch: 2, seq: 3, past: 4, heads: 5 })();
    expect(module.values[outputs.get("y")!]!.type.shape).toEqual([2, 3]);
    expect(module.values[outputs.get("z")!]!.type.shape).toEqual([2, 7, 10]);
    expect(codesOf(bind({ batch: 2, seq: 3, past: 4, heads: 5, other: 1 }))).toEqual(["MRL0403"]);
    expect(codesOf(bind({ batch: 2, seq: 1.5, past: 4, heads: 5 }))).toEqual(["MRL0403"]);
  });

  it("reports every operator that does not fit, with its location", () => {
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2, 3), floatInfo("s", 2)],
      output: [floatInfo("y"), floatInfo("z")],
      node: [
        node("MatMul", ["x", "x"], ["a"], "/layers.0/MatMul"),
        node("Relu", ["a"], ["y"]),
        node("Reshape", ["x", "s"], ["z"], "/layers.1/Reshape"),
      ],
    });
    const found = diagnosticsOf(() => importModel(model));
    expect(found.map(({ code }) => code)).toEqual(["MRL0404", "MRL0404"]);
    expect(found[0]!.message).toContain("[2, 3]");
    expect(found[1]!.message).toContain("constant");
  });

  it("reports misfits beside unknown operators, but not those that need their results", () => {
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2, 3)],
      output: [floatInfo("y"), floatInfo("z")],
      node: [
        node("Nonsense", ["x"], ["a"], "/layers.0/Nonsense"),
        node("MatMul", ["a", "a"], ["y"], "/layers.0/MatMul"),
        node("MatMul", ["x", "x"], ["b"], "/layers.1/MatMul"),
        node("Nonsense", ["b"], ["z"], "/layers.2/Nonsense"),
      ],
    });
    const found = diagnosticsOf(() => importModel(model));
    expect(found.map(({ code, at }) => [code, /layers\.\d/.exec(at!)![0]])).toEqual([
      ["MRL0401", "layers.0"],
      ["MRL0401", "layers.2"],
      ["MRL0404", "layers.1"],
    ]);
  });

  it("labels inputs as requested and refuses unknown ones", () => {
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2)],
      output: [floatInfo("y", 2)],
      node: [node("Relu", ["x"], ["y"])],
    });
    const { module } = importModel(model, { inputs: new Map([["x", "public"]]) });
    expect(module.values.y!.type.label).toBe("public");
    expect(importModel(model).module.values.y!.type.label).toBe("client");
    expect(codesOf(() => importModel(model, { inputs: new Map([["z", "public"]]) }))).toEqual(["MRL0406"]);
  });

  it("folds values that depend on shapes alone, but no weight", () => {
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2, 3)],
      output: [floatInfo("y")],
      initializer: [floatTensor("fc.weight", [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])],
      node: [
        node("Shape", ["x"], ["shape"]),
        node("Transpose", ["fc.weight"], ["t"]),
        node("MatMul", ["x", "t"], ["h"], "/fc/MatMul"),
        node("Abs", ["t"], ["positive"]),
        node("MatMul", ["h", "positive"], ["m"]),
        node("Reshape", ["m", "shape"], ["y"]),
      ],
    });
    const { module, weights, storedWeights } = importModel(model);
    expect(opsOf(module).map(({ name }) => name)).toEqual(["matmul", "abs", "matmul"]);
    expect([...weights.keys()]).toEqual(["fc.weight"]);
    expect([...weights.get("fc.weight")!.data]).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
    expect(storedWeights.get("fc.weight")).toEqual({
      weight: "fc.weight",
      views: [{ op: "transpose", attrs: { perm: [1, 0] } }],
    });
  });

  it("refuses folded shapes that take all memory", () => {
    const shape = { name: "s", dims: [2], dataType: 7, int64Data: [2 ** 20, 2 ** 20] };
    const graph = { name: "g", output: [floatInfo("y")], initializer: [shape] };
    const model = decode({ ...graph, node: [node("ConstantOfShape", ["s"], ["y"])] });
    expect(codesOf(() => importModel(model))).toContain("MRL0404");
  });
});

describe("isFormula", () => {
  const fill = (shape: number[], value: (at: number) => number): Tensor =>
    tensor(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, at) => Math.fround(value(at))),
    );
  const frequency = (at: number): number => 10000 ** (-(at % 8) / 8);
  const table = (wave: (angle: number) => number, start = 0) =>
    fill([1, 50, 16], (at) => wave((start + Math.floor(at / 16)) * frequency(at)));
  const yes: readonly (readonly [string, Tensor])[] = [
    ["an additive mask", fill([4, 4], (at) => (at % 4 > at / 4 ? -3.4e38 : 0))],
    ["positions", fill([2, 6], (at) => at % 6)],
    ["rotary frequencies", fill([1, 8, 1], frequency)],
    ["angles", table((angle) => angle)],
    ["cosines", table(Math.cos)],
    ["sines", table(Math.sin)],
    ["cosines behind a cache", table(Math.cos, 900)],
    ["sines behind a cache", table(Math.sin, 7)],
    ["angles behind a cache", table((angle) => angle, 300)],
    ["angles of one frequency", fill([1, 8, 2], (at) => Math.floor(at / 2))],
    ["cosines of one place", fill([1, 1, 16], (at) => Math.cos(77 * frequency(at)))],
  ];
  it.each(yes)("recognizes %s", (_, value) => expect(isFormulaTable(value)).toBe(true));

  it.each(yes.slice(2))("detects one changed value in %s", (_, value) => {
    const data = value.data.slice();
    data[5] = data[5]! * 1.001 + 1e-3;
    expect(isFormulaTable({ shape: value.shape, data })).toBe(false);
  });

  it("recognizes no weights: gaussians, signs, learned fills", () => {
    for (const value of [
      fill([4, 4], (at) => Math.sin(at * 12.9898) * 0.02),
      fill([4, 4], (at) => (at % 3 === 0 ? 1 : -1)),
      fill([8], () => 0.731),
    ]) {
      expect(isFormulaTable(value)).toBe(false);
    }
  });

  it("treats a scalar with a name of its own as a weight", () => {
    const scalar = (name: string) => floatTensor(name, [], [2.5]);
    const model = decode({
      name: "g",
      input: [floatInfo("x", 2)],
      output: [floatInfo("y", 2)],
      initializer: [scalar("logit_scale"), scalar("val_41"), scalar("zeros"), scalar("threshold_cast")],
      node: [
        node("Mul", ["x", "logit_scale"], ["a"]),
        node("Mul", ["a", "val_41"], ["b"]),
        node("Add", ["b", "zeros"], ["c"]),
        node("Add", ["c", "threshold_cast"], ["y"]),
      ],
    });
    const { weights, constants } = catalogWeights(model);
    expect([...weights.keys()]).toEqual(["logit_scale"]);
    expect([...constants]).toEqual(["val_41", "zeros", "threshold_cast"]);
  });
});
