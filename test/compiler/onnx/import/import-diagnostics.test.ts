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

const modelOf = (graph: Omit<Parameters<typeof modelBytes>[0], "name">) =>
  decodeModel(modelBytes({ name: "g", ...graph }), "m.onnx");

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
    const model = modelOf({
      input: [floatInfo("x", 2, 2)],
      output: [floatInfo("y", 2, 2)],
      node: [
        node("Multinomial", ["x"], ["a"], "/model/layers.3/mlp/Multinomial"),
        { ...node("SparseAttention", ["a"], ["b"], "/model/layers.4/attn/Sparse"), domain: "com.microsoft" },
        node("Nonsense", ["b"], ["y"]),
        node("Whatever", ["x"], ["unused"]),
      ],
    });

    const diagnostics = diagnosticsOf(() => importModel(model));

    expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0401", "MRL0401", "MRL0401"]);
    const [multinomial, sparseAttention, nonsense] = diagnostics;
    expect(multinomial!.at).toContain("layers.3");
    expect(multinomial!.help).toContain("logits");
    expect(sparseAttention!.message).toContain("com.microsoft");
    expect(nonsense!.at).toMatch(/node "\w+:\w+"/);
  });

  it("reports every operator that does not fit, with its location", () => {
    const model = modelOf({
      input: [floatInfo("x", 2, 3), floatInfo("s", 2)],
      output: [floatInfo("y"), floatInfo("z")],
      node: [
        node("MatMul", ["x", "x"], ["a"], "/layers.0/MatMul"),
        node("Relu", ["a"], ["y"]),
        node("Reshape", ["x", "s"], ["z"], "/layers.1/Reshape"),
      ],
    });

    const diagnostics = diagnosticsOf(() => importModel(model));

    expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0404", "MRL0404"]);
    const [matMul, reshape] = diagnostics;
    expect(matMul!.message).toContain("[2, 3]");
    expect(reshape!.message).toContain("constant");
  });

  it("reports misfits beside unknown operators, but not those that need their results", () => {
    const model = modelOf({
      input: [floatInfo("x", 2, 3)],
      output: [floatInfo("y"), floatInfo("z")],
      node: [
        node("Nonsense", ["x"], ["a"], "/layers.0/Nonsense"),
        node("MatMul", ["a", "a"], ["y"], "/layers.0/MatMul"),
        node("MatMul", ["x", "x"], ["b"], "/layers.1/MatMul"),
        node("Nonsense", ["b"], ["z"], "/layers.2/Nonsense"),
      ],
    });

    const diagnostics = diagnosticsOf(() => importModel(model));

    const found = diagnostics.map(({ code, at }) => ({ code, layer: /layers\.\d/.exec(at!)![0] }));
    expect(found).toEqual([
      { code: "MRL0401", layer: "layers.0" },
      { code: "MRL0401", layer: "layers.2" },
      { code: "MRL0404", layer: "layers.1" },
    ]);
  });

  it("folds values that depend on shapes alone, but no weight", () => {
    const model = modelOf({
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
    const hugeShape = { name: "s", dims: [2], dataType: 7, int64Data: [2 ** 20, 2 ** 20] };
    const model = modelOf({
      output: [floatInfo("y")],
      initializer: [hugeShape],
      node: [node("ConstantOfShape", ["s"], ["y"])],
    });

    const codes = codesOf(() => importModel(model));

    expect(codes).toContain("MRL0404");
  });
});

describe("importModel with dimensions without a size", () => {
  const dynamicInfo = (name: string, ...dims: string[]) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimParam) => ({ dimParam })) } } },
  });
  const dynamicModel = modelOf({
    input: [
      dynamicInfo("x", "batch_size", "sequence_length"),
      dynamicInfo("past", "batch_size", "past_sequence_length + sequence_length", "2*heads"),
    ],
    output: [floatInfo("y"), floatInfo("z")],
    node: [node("Neg", ["x"], ["y"]), node("Neg", ["past"], ["z"])],
  });
  const allSizes = { batch: 2, seq: 3, past: 4, heads: 5 };
  const importWith = (sizes: Record<string, number>) =>
    importModel(dynamicModel, { dims: new Map(Object.entries(sizes)) });

  it("lists all of them in one diagnostic", () => {
    const onlyBatch = { batch: 1 };

    const diagnostics = diagnosticsOf(() => importWith(onlyBatch));

    expect(diagnostics).toHaveLength(1);
    const [missing] = diagnostics;
    expect(missing).toMatchObject({ code: "MRL0402" });
    expect(missing!.message).toContain("sequence_length, past_sequence_length, heads");
    expect(missing!.help).toContain("--dim heads=1");
  });

  it("evaluates expressions, and accepts short names", () => {
    const { module, outputs } = importWith(allSizes);

    const shapeOf = (output: string) => module.values[outputs.get(output)!]!.type.shape;
    expect(shapeOf("y")).toEqual([2, 3]);
    expect(shapeOf("z")).toEqual([2, 7, 10]);
  });

  it("refuses the size of a dimension that the model does not have", () => {
    const oneMore = { ...allSizes, other: 1 };

    const codes = codesOf(() => importWith(oneMore));

    expect(codes).toEqual(["MRL0403"]);
  });

  it("refuses a size that is not an integer", () => {
    const fraction = { ...allSizes, seq: 1.5 };

    const codes = codesOf(() => importWith(fraction));

    expect(codes).toEqual(["MRL0403"]);
  });
});

describe("importModel with sizes by position", () => {
  /** Paddle2ONNX writes "?" for both sides of an image, tf2onnx a number of its own for each. */
  const openInfo = (name: string, ...dims: (string | number)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: 1,
        shape: { dim: dims.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim })) },
      },
    },
  });
  const of = (...dims: (string | number)[]) =>
    modelOf({
      input: [openInfo("x", ...dims), openInfo("mask", "batch")],
      output: [floatInfo("y"), floatInfo("z")],
      node: [node("Neg", ["x"], ["y"]), node("Neg", ["mask"], ["z"])],
    });
  const shapesOf = (model: ReturnType<typeof of>, sizes: Record<string, number>) => {
    const { module, outputs } = importModel(model, { dims: new Map(Object.entries(sizes)) });
    return ["y", "z"].map((name) => module.values[outputs.get(name)!]!.type.shape);
  };
  const messagesOf = (model: ReturnType<typeof of>, sizes: Record<string, number>) =>
    diagnosticsOf(() => shapesOf(model, sizes)).map(({ code, message, help }) => `${code} ${message}: ${help ?? ""}`);

  it.each([["?"], ["unk__616"], [""], ["None"]])("takes %j for the name of no dimension", (symbol) => {
    const image = of(-1, 3, symbol, symbol === "unk__616" ? "unk__617" : symbol);

    const shapes = shapesOf(image, { "x.0": 1, "x.2": 8, "x.3": 24, batch: 2 });
    const [missing] = messagesOf(image, { "x.0": 1, batch: 2 });

    expect(shapes).toEqual([[1, 3, 8, 24], [2]]);
    expect(missing).toContain("2 dimensions, found none: x.2, x.3: ");
    expect(missing).toContain("--dim x.2=1 --dim x.3=1");
  });

  it("takes the position of a dimension that has a name, and gives its size to all of that name", () => {
    expect(shapesOf(of("batch", 3), { "x.0": 5 })).toEqual([[5, 3], [5]]);
    expect(shapesOf(of("batch", 3), { "mask.0": 5, "x.1": 3 })).toEqual([[5, 3], [5]]);
    expect(shapesOf(of("batch + 1", 3), { "x.0": 6, batch: 5 })).toEqual([[6, 3], [5]]);
  });

  it.each([
    [{ "x.0": 5, batch: 4 }, "MRL0403 --dim x.0=5, but batch is 4: "],
    [{ "x.0": 5, "mask.0": 4 }, "MRL0403 --dim mask.0=4, but batch is 5: "],
    [{ batch: 5, "x.1": 4 }, "MRL0403 --dim x.1=4, but the model fixes it to 3: "],
    [{ batch: 5, "x.2": 4 }, "MRL0403 the model has no dimension x.2 to size: dimensions: batch, x.0, mask.0"],
  ])("refuses %j", (sizes, message) => {
    expect(messagesOf(of("batch", 3), sizes)).toEqual([message]);
  });
});

describe("importModel with labels of inputs", () => {
  const relu = modelOf({
    input: [floatInfo("x", 2)],
    output: [floatInfo("y", 2)],
    node: [node("Relu", ["x"], ["y"])],
  });

  it("gives an input to the client unless told otherwise", () => {
    const { module } = importModel(relu);

    expect(module.values.y!.type.label).toBe("client");
  });

  it("labels an input as requested", () => {
    const { module } = importModel(relu, { inputs: new Map([["x", "public"]]) });

    expect(module.values.y!.type.label).toBe("public");
  });

  it("refuses the label of an input that the model does not have", () => {
    const codes = codesOf(() => importModel(relu, { inputs: new Map([["z", "public"]]) }));

    expect(codes).toEqual(["MRL0406"]);
  });
});

describe("isFormulaTable", () => {
  interface NamedTable {
    readonly what: string;
    readonly table: Tensor;
  }

  /** A float32 tensor of the values at each place. */
  const filled = (shape: number[], value: (at: number) => number): Tensor =>
    tensor(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, at) => Math.fround(value(at))),
    );
  const frequency = (at: number): number => 10000 ** (-(at % 8) / 8);
  const rotary = (wave: (angle: number) => number, start = 0): Tensor =>
    filled([1, 50, 16], (at) => wave((start + Math.floor(at / 16)) * frequency(at)));
  const angle = (value: number): number => value;

  const otherTables: readonly NamedTable[] = [
    { what: "an additive mask", table: filled([4, 4], (at) => (at % 4 > at / 4 ? -3.4e38 : 0)) },
    { what: "positions", table: filled([2, 6], (at) => at % 6) },
  ];
  const rotaryTables: readonly NamedTable[] = [
    { what: "rotary frequencies", table: filled([1, 8, 1], frequency) },
    { what: "angles", table: rotary(angle) },
    { what: "cosines", table: rotary(Math.cos) },
    { what: "sines", table: rotary(Math.sin) },
    { what: "cosines behind a cache", table: rotary(Math.cos, 900) },
    { what: "sines behind a cache", table: rotary(Math.sin, 7) },
    { what: "angles behind a cache", table: rotary(angle, 300) },
    { what: "angles of one frequency", table: filled([1, 8, 2], (at) => Math.floor(at / 2)) },
    { what: "cosines of one place", table: filled([1, 1, 16], (at) => Math.cos(77 * frequency(at))) },
  ];
  const weights: readonly NamedTable[] = [
    { what: "gaussians", table: filled([4, 4], (at) => Math.sin(at * 12.9898) * 0.02) },
    { what: "signs", table: filled([4, 4], (at) => (at % 3 === 0 ? 1 : -1)) },
    { what: "a learned fill", table: filled([8], () => 0.731) },
  ];

  it.each([...otherTables, ...rotaryTables])("recognizes $what", ({ table }) => {
    expect(isFormulaTable(table)).toBe(true);
  });

  it.each(rotaryTables)("detects one changed value in $what", ({ table }) => {
    const data = table.data.slice();
    data[5] = data[5]! * 1.001 + 1e-3;

    const recognized = isFormulaTable({ shape: table.shape, data });

    expect(recognized).toBe(false);
  });

  it.each(weights)("does not recognize $what", ({ table }) => {
    expect(isFormulaTable(table)).toBe(false);
  });
});

describe("catalogWeights", () => {
  it("treats a scalar with a name of its own as a weight", () => {
    const scalar = (name: string) => floatTensor(name, [], [2.5]);
    const model = modelOf({
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
