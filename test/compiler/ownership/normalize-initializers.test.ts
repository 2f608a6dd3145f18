import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { loadModel } from "../../../compiler/load/load-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { modelMetadata } from "../../../compiler/report/text/model-metadata.ts";
import type { SafetensorsTensor } from "../../../compiler/tensors/safetensors.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, node } from "../onnx/format/build-model.ts";
import {
  add,
  baseOf,
  type Case,
  constant,
  first,
  layer,
  look,
  modelOf,
  rows,
  second,
  stored,
  turned,
  type Values,
  vector,
  width,
} from "./private-models.ts";

describe("private values, in whatever form the file stores them", () => {
  const asInitializer: Case = { initializer: [floatTensor("fc1.bias", [width], vector)], nodes: [add("fc1.bias")] };
  const wanted = look(asInitializer, { base: baseOf() }).y;
  const branch = (
    name: string,
    inner: readonly proto.INodeProto[],
    initializer: readonly proto.ITensorProto[] = [],
  ) => ({
    name,
    initializer: [...initializer],
    node: [...inner],
    output: [floatInfo(`${name}_y`, rows, width)],
  });
  const inner = [node("Add", ["h", "k"], ["t_y"])];
  const choice = (then: proto.IGraphProto): readonly proto.INodeProto[] => [
    constant("c", { name: "value", type: 4, t: { dims: [], dataType: 9, int32Data: [1] } }),
    {
      ...node("If", ["c"], ["y"]),
      attribute: [
        { name: "then_branch", type: 5, g: then },
        { name: "else_branch", type: 5, g: branch("e", [node("Identity", ["h"], ["e_y"])]) },
      ],
    },
  ];
  const k = { name: "value", type: 4, t: floatTensor("", [width], vector) };

  it.each<[string, Case, string]>([
    ["an initializer", asInitializer, "fc1.bias"],
    [
      "a list in an attribute",
      { initializer: [], nodes: [constant("c1", { name: "value_floats", type: 6, floats: vector }), add("c1")] },
      "c1",
    ],
    ["a constant of a branch", { initializer: [], nodes: choice(branch("t", [constant("k", k), ...inner])) }, "k"],
    [
      "an initializer of a branch",
      { initializer: [], nodes: choice(branch("t", inner, [floatTensor("k", [width], vector)])) },
      "k",
    ],
    [
      "a table of the code's own",
      { initializer: [floatTensor("m.lifted_tensor_0", [width], vector)], nodes: [add("m.lifted_tensor_0")] },
      "m.lifted_tensor_0",
    ],
  ])("%s is private, and computes the same", (_, given, name) => {
    const { secrets, y } = look(given, { base: baseOf() });
    expect(secrets).toEqual([name]);
    for (const [at, value] of y.entries()) expect(value).toBeCloseTo(wanted[at]!, 6);
    expect(look(given, { private: [name] }).secrets).toContain(name);
  });

  it("lets two branches use the same name", () => {
    const other = { ...k, t: floatTensor("", [width], numbers(width, 4, 0.5)) };
    const [, chosen] = choice(branch("t", [constant("k", k), ...inner]));
    const nodes = [
      constant("c", { name: "value", type: 4, t: { dims: [], dataType: 9, int32Data: [0] } }),
      {
        ...chosen!,
        attribute: [
          chosen!.attribute![0]!,
          { name: "else_branch", type: 5, g: branch("e", [constant("k", other), node("Add", ["h", "k"], ["e_y"])]) },
        ],
      },
    ];
    // The branch that is not taken is reported too: nothing depends on it.
    expect(codesOf(() => look({ initializer: [], nodes }, { private: ["k*"] }))).toEqual(["MRL0425"]);
    const { secrets, y } = look(
      { initializer: [], nodes },
      { private: ["k_1"], base: baseOf(stored("k", [width], vector)) },
    );
    expect(secrets).toEqual(["k_1"]);
    const plain = { initializer: [floatTensor("fc1.bias", [width], numbers(width, 4, 0.5))], nodes: [add("fc1.bias")] };
    expect(y).toEqual(look(plain, { private: ["fc1.*"] }).y);
  });
});

describe("a tensor that an exporter merged from equal parameters", () => {
  const norm = (at: number, from: string, weight: string, to: string): proto.INodeProto =>
    node("Mul", [from, weight], [to], at < 0 ? "" : `/norm${at}/Mul`);
  const merged = (at: readonly [number, number]): Case => ({
    initializer: [floatTensor("norm0.weight", [width], vector)],
    nodes: [norm(at[0], "h", "norm0.weight", "u"), norm(at[1], "u", "norm0.weight", "y")],
  });
  const byName: Case = {
    initializer: [floatTensor("norm0.weight", [width], vector)],
    nodes: [
      node("Identity", ["norm0.weight"], ["norm1.weight"]),
      norm(0, "h", "norm0.weight", "u"),
      norm(1, "u", "norm1.weight", "y"),
    ],
  };
  const gain = (at: number, by = 0): SafetensorsTensor =>
    stored(
      `norm${at}.weight`,
      [width],
      vector.map((value) => value + by),
    );

  it.each<[string, Case]>([
    ["by an Identity", byName],
    ["by its uses", merged([0, 1])],
  ])("is told apart %s: each is compared with its own", (_, given) => {
    expect(look(given, { base: baseOf(gain(0), gain(1)) }).secrets).toEqual([]);
    expect(look(given, { base: baseOf(gain(0), gain(1, 1)) }).secrets).toEqual(["norm1.weight"]);
    expect(look(given, { base: baseOf(gain(0, 1), gain(1)) }).secrets).toEqual(["norm0.weight"]);
    expect(look(given, { private: ["norm1.*"] }).secrets).toEqual(["norm1.weight"]);
    // The base gives initial values for each, so that a fresh model compiles.
    expect(look(given, { base: baseOf(gain(0, 1), gain(1, 2)) }).surrogate.missing).toEqual([]);
  });

  it("is marked private in notes if one of its parameters is private", () => {
    const path = modelOf(byName);
    const { ownership } = loadModel(resolveModelOptions({ model: path, base: baseOf(gain(0), gain(1, 1)) }));
    const { tensors } = modelMetadata({ model: readModel(path), ownership, inputs: new Map(), blockers: [] });
    expect(tensors.get("norm0.weight")!.known_to).toBe("server");
    expect(tensors.get("onnx::MatMul_1")!.known_to).toBe("everyone");
  });

  it("is refused when a few values would expand to too many parameters", () => {
    const count = 40_000;
    const nodes = Array.from({ length: count }, (_, at) =>
      norm(at, at === 0 ? "h" : `h${at}`, "norm0.weight", at === count - 1 ? "y" : `h${at + 1}`),
    );
    const wide = {
      initializer: [floatTensor("norm0.weight", [rows * 32, width], numbers(rows * 32 * width, 3, 1))],
      nodes,
    };
    expect(codesOf(() => look(wide, { base: baseOf() }))).toEqual(["MRL0433"]);
  });

  it("has each name in an ONNX base that was merged too", () => {
    const base = modelOf(merged([0, 1]), "base");
    const other: Case = {
      initializer: [
        floatTensor("norm0.weight", [width], vector),
        floatTensor("norm1.weight", [width], numbers(width, 8, 0.5)),
      ],
      nodes: [norm(0, "h", "norm0.weight", "u"), norm(1, "u", "norm1.weight", "y")],
    };
    const { secrets, surrogate } = look(other, { base });
    expect(secrets).toEqual(["norm1.weight"]);
    expect(surrogate.missing).toEqual([]);
  });

  it("is public when the file does not name its uses, if all candidates agree", () => {
    expect(look(merged([-1, -1]), { base: baseOf(gain(0), gain(1)) }).secrets).toEqual([]);
    const { secrets, why } = look(merged([-1, -1]), { base: baseOf(gain(0), gain(1, 1)) });
    expect(secrets).toEqual(["norm0.weight"]);
    expect(why.join()).toContain("one may be norm1.weight");
  });

  it("is refused when it is a matrix with a public and a private use", () => {
    const given = { initializer: [], nodes: [layer(1, "h", "onnx::MatMul_1", "y")] };
    const base = (values: Values) => baseOf(stored("fc1.weight", [width, width], turned(values)));
    expect(look(given, { base: base(first) }).secrets).toEqual([]);
    expect(codesOf(() => look(given, { base: base(second) }))).toEqual(["MRL0424"]);
    // A layer that the base does not have is a copy of one that it has.
    expect(codesOf(() => look(given, { base: baseOf() }))).toEqual(["MRL0424"]);
  });
});

describe("the base's values at another position or in another order", () => {
  const nameless = (values: Values): Case => ({
    initializer: [floatTensor("onnx::MatMul_2", [width, width], [...values])],
    nodes: [node("MatMul", ["h", "onnx::MatMul_2"], ["y"])],
  });
  const table = stored("table.weight", [width, width], second);
  const rowsOf = (...order: number[]): number[] => order.flatMap((row) => second.slice(row * width, (row + 1) * width));

  it.each<[string, Values, boolean]>([
    ["as they are", second, true],
    ["transposed", turned(second), true],
    ["rows in another order", rowsOf(2, 1, 3, 0), false],
    ["rows of which some are left out", rowsOf(0, 1, 1, 3), false],
    ["one row for every place", rowsOf(1, 1, 1, 1), true],
    ["of another sign", second.map((value) => -value), false],
  ])("%s", (_, values, known) => {
    expect(look(nameless(values), { base: baseOf(table) }).secrets).toEqual(known ? [] : ["onnx::MatMul_2"]);
  });

  it("makes a table with fewer rows than the base's of its name private", () => {
    const fewer: Case = {
      initializer: [floatTensor("table.weight", [2, width], rowsOf(0, 1))],
      nodes: [add("table.weight")],
    };
    const { secrets, why } = look(fewer, { base: baseOf(table) });
    expect(secrets).toEqual(["table.weight"]);
    expect(why.join()).toContain("has another shape");
  });

  it("does not treat a column of scalars as a selection of rows, and compares the sign of zero", () => {
    const column: Case = { initializer: [floatTensor("onnx::Add_2", [2, 1], [0.3, 0.1])], nodes: [add("onnx::Add_2")] };
    const known = baseOf(stored("t.weight", [3, 1], [0.1, 0.2, 0.3]));
    expect(look(column, { base: known }).secrets).toEqual(["onnx::Add_2"]);
    const zero: Case = { initializer: [floatTensor("fc1.bias", [width], [0.5, -0, 0, 1])], nodes: [add("fc1.bias")] };
    expect(look(zero, { base: baseOf(stored("fc1.bias", [width], [0.5, 0, 0, 1])) }).secrets).toEqual(["fc1.bias"]);
    expect(look(zero, { base: baseOf(stored("fc1.bias", [width], [0.5, -0, 0, 1])) }).secrets).toEqual([]);
  });

  it("recognizes a norm weight that is stored as its difference from 1", () => {
    const folded: Case = {
      initializer: [
        floatTensor(
          "onnx::Mul_2",
          [width],
          vector.map((value) => Math.fround(1 + Math.fround(value))),
        ),
      ],
      nodes: [node("Mul", ["h", "onnx::Mul_2"], ["y"])],
    };
    expect(look(folded, { base: baseOf(stored("norm.weight", [width], vector)) }).secrets).toEqual([]);
    expect(look(folded, { base: baseOf() }).secrets).toEqual(["onnx::Mul_2"]);
  });

  it("makes trained frequencies private when the base has others", () => {
    const given: Case = {
      initializer: [floatTensor("m.rotary_emb.inv_freq", [width], [1, 0.7, 0.3, 0.1])],
      nodes: [add("m.rotary_emb.inv_freq")],
    };
    const base = (values: Values) => baseOf(stored("m.rotary_emb.inv_freq", [width], values));
    expect(look(given, { base: base([1, 0.1, 0.01, 0.001]) }).secrets).toEqual(["m.rotary_emb.inv_freq"]);
    expect(look(given, { base: base([1, 0.7, 0.3, 0.1]) }).secrets).toEqual([]);
  });
});

describe("a weight that the base does not have", () => {
  it("has the initial values of its framework as surrogate, so that a new head compiles", () => {
    const head: Case = {
      initializer: [
        floatTensor("classifier.weight", [width, width], second),
        floatTensor("classifier.bias", [width], vector),
      ],
      nodes: [
        {
          ...node("Gemm", ["h", "classifier.weight", "classifier.bias"], ["y"], "/classifier/Gemm"),
          attribute: [{ name: "transB", type: 2, i: 1 }],
        },
      ],
    };
    const { secrets, surrogate } = look(head, { base: baseOf() });
    expect(secrets).toEqual(["classifier.weight", "classifier.bias"]);
    expect(surrogate.missing).toEqual([]);
    expect([...surrogate.weights.get("classifier.bias")!.data]).toEqual([0, 0, 0, 0]);
    for (const value of surrogate.weights.get("classifier.weight")!.data) {
      expect(Math.abs(value)).toBeLessThanOrEqual(0.5);
      expect(second).not.toContain(value);
    }
  });
});
