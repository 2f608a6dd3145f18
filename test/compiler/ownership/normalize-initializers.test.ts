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
  addOf,
  baseOf,
  type Case,
  constant,
  first,
  layer,
  look,
  modelOf,
  rows,
  second,
  secretsWith,
  stored,
  turned,
  type Values,
  vector,
  width,
} from "./private-models.ts";

describe("private values, in whatever form the file stores them", () => {
  const vectorConstant = (output: string, values: Values): proto.INodeProto =>
    constant(output, { name: "value", type: 4, t: floatTensor("", [width], [...values]) });
  const condition = (output: string, value: boolean): proto.INodeProto =>
    constant(output, { name: "value", type: 4, t: { dims: [], dataType: 9, int32Data: [Number(value)] } });
  const branch = (
    name: string,
    inner: readonly proto.INodeProto[],
    initializer: readonly proto.ITensorProto[] = [],
  ): proto.IGraphProto => ({
    name,
    initializer: [...initializer],
    node: [...inner],
    output: [floatInfo(`${name}_y`, rows, width)],
  });
  const addK = (branchName: string): proto.INodeProto => node("Add", ["h", "k"], [`${branchName}_y`]);
  const unchanged = branch("e", [node("Identity", ["h"], ["e_y"])]);
  const choice = (taken: boolean, thenBranch: proto.IGraphProto, elseBranch = unchanged): Case => ({
    initializer: [],
    nodes: [
      condition("c", taken),
      {
        ...node("If", ["c"], ["y"]),
        attribute: [
          { name: "then_branch", type: 5, g: thenBranch },
          { name: "else_branch", type: 5, g: elseBranch },
        ],
      },
    ],
  });

  const asInitializer = addOf("fc1.bias", [width], vector);
  const asList: Case = {
    initializer: [],
    nodes: [constant("c1", { name: "value_floats", type: 6, floats: vector }), add("c1")],
  };
  const asConstantOfBranch = choice(true, branch("t", [vectorConstant("k", vector), addK("t")]));
  const asInitializerOfBranch = choice(true, branch("t", [addK("t")], [floatTensor("k", [width], vector)]));
  const asTableOfCode = addOf("m.lifted_tensor_0", [width], vector);

  it.each([
    { form: "an initializer", model: asInitializer, name: "fc1.bias" },
    { form: "a list in an attribute", model: asList, name: "c1" },
    { form: "a constant of a branch", model: asConstantOfBranch, name: "k" },
    { form: "an initializer of a branch", model: asInitializerOfBranch, name: "k" },
    { form: "a table of the code's own", model: asTableOfCode, name: "m.lifted_tensor_0" },
  ])("$form is private, and computes the same", ({ model, name }) => {
    const expected = look(asInitializer, { base: baseOf() }).y;

    const besideBase = look(model, { base: baseOf() });
    const byPattern = look(model, { private: [name] });

    expect(besideBase.secrets).toEqual([name]);
    expect(besideBase.y).toHaveLength(expected.length);
    for (const [at, value] of besideBase.y.entries()) expect(value).toBeCloseTo(expected[at]!, 6);
    expect(byPattern.secrets).toContain(name);
  });

  describe("when two branches use the same name", () => {
    const otherVector = numbers(width, 4, 0.5);
    const twoBranches = choice(
      false,
      branch("t", [vectorConstant("k", vector), addK("t")]),
      branch("e", [vectorConstant("k", otherVector), addK("e")]),
    );

    it("keeps them apart, and computes the branch that is taken", () => {
      const takenBranch = addOf("fc1.bias", [width], otherVector);
      const expected = look(takenBranch, { private: ["fc1.*"] }).y;

      const base = baseOf(stored("k", [width], vector));
      const { secrets, y } = look(twoBranches, { private: ["k_1"], base });

      expect(secrets).toEqual(["k_1"]);
      expect(y).toEqual(expected);
    });

    it("drops what only the branch reads that is not taken", () => {
      const secrets = look(twoBranches, { private: ["k*"] }).secrets;
      const codes = codesOf(() => look(twoBranches, { private: ["k"] }));

      expect(secrets).toEqual(["k_1"]);
      expect(codes).toEqual(["MRL0422"]);
    });
  });
});

describe("a tensor that an exporter merged from equal parameters", () => {
  const norm = (from: string, weight: string, to: string, name = ""): proto.INodeProto =>
    node("Mul", [from, weight], [to], name);
  const sharedGain = floatTensor("norm0.weight", [width], vector);
  const gain = (at: number, by = 0): SafetensorsTensor =>
    stored(
      `norm${at}.weight`,
      [width],
      vector.map((value) => value + by),
    );

  const toldByIdentity: Case = {
    initializer: [sharedGain],
    nodes: [
      node("Identity", ["norm0.weight"], ["norm1.weight"]),
      norm("h", "norm0.weight", "u", "/norm0/Mul"),
      norm("u", "norm1.weight", "y", "/norm1/Mul"),
    ],
  };
  const toldByUses: Case = {
    initializer: [sharedGain],
    nodes: [norm("h", "norm0.weight", "u", "/norm0/Mul"), norm("u", "norm0.weight", "y", "/norm1/Mul")],
  };
  const namelessUses: Case = {
    initializer: [sharedGain],
    nodes: [norm("h", "norm0.weight", "u"), norm("u", "norm0.weight", "y")],
  };

  describe.each([
    { means: "an Identity", model: toldByIdentity },
    { means: "its uses", model: toldByUses },
  ])("and that is told apart by $means", ({ model }) => {
    it("is compared with the base's tensor of each parameter", () => {
      expect(secretsWith(model, gain(0), gain(1))).toEqual([]);
      expect(secretsWith(model, gain(0), gain(1, 1))).toEqual(["norm1.weight"]);
      expect(secretsWith(model, gain(0, 1), gain(1))).toEqual(["norm0.weight"]);
    });

    it("is private for the parameter that a pattern names", () => {
      const { secrets } = look(model, { private: ["norm1.*"] });

      expect(secrets).toEqual(["norm1.weight"]);
    });

    it("has initial values from the base for each, so that a fresh model compiles", () => {
      const { surrogate } = look(model, { base: baseOf(gain(0, 1), gain(1, 2)) });

      expect(surrogate.initial).toEqual([]);
    });
  });

  it("is marked private in notes if one of its parameters is private", () => {
    const path = modelOf(toldByIdentity);
    const { ownership } = loadModel(resolveModelOptions({ model: path, base: baseOf(gain(0), gain(1, 1)) }));

    const { tensors } = modelMetadata({ model: readModel(path), ownership, inputs: new Map(), blockers: [] });

    expect(tensors.get("norm0.weight")!.known_to).toBe("server");
    expect(tensors.get("onnx::MatMul_1")!.known_to).toBe("everyone");
  });

  it("is refused when a few values would expand to too many parameters", () => {
    const uses = 40_000;
    const hiddenAt = (at: number) => (at === 0 ? "h" : at === uses ? "y" : `h${at}`);
    const manyUses: Case = {
      initializer: [floatTensor("norm0.weight", [rows * 32, width], numbers(rows * 32 * width, 3, 1))],
      nodes: Array.from({ length: uses }, (_, at) =>
        norm(hiddenAt(at), "norm0.weight", hiddenAt(at + 1), `/norm${at}/Mul`),
      ),
    };

    const codes = codesOf(() => look(manyUses, { base: baseOf() }));

    expect(codes).toEqual(["MRL0433"]);
  });

  it("has each name in an ONNX base that was merged too", () => {
    const mergedBase = modelOf(toldByUses, "base");
    const apart: Case = {
      initializer: [sharedGain, floatTensor("norm1.weight", [width], numbers(width, 8, 0.5))],
      nodes: [norm("h", "norm0.weight", "u", "/norm0/Mul"), norm("u", "norm1.weight", "y", "/norm1/Mul")],
    };

    const { secrets, surrogate } = look(apart, { base: mergedBase });

    expect(secrets).toEqual(["norm1.weight"]);
    expect(surrogate.initial).toEqual([]);
  });

  it("is public when the file does not name its uses, if all candidates agree", () => {
    const secrets = secretsWith(namelessUses, gain(0), gain(1));

    expect(secrets).toEqual([]);
  });

  it("is private when the file does not name its uses, if a candidate differs", () => {
    const { secrets, why } = look(namelessUses, { base: baseOf(gain(0), gain(1, 1)) });

    expect(secrets).toEqual(["norm0.weight"]);
    expect(why.join()).toContain("one may be norm1.weight");
  });

  describe("and that is a matrix of two layers", () => {
    const sharedMatrix: Case = { initializer: [], nodes: [layer(1, "h", "onnx::MatMul_1", "y")] };
    const secondLayer = (values: Values) => stored("fc1.weight", [width, width], turned(values));

    it("is public when the base has it for both", () => {
      expect(secretsWith(sharedMatrix, secondLayer(first))).toEqual([]);
    });

    it("is refused when the base has another for one", () => {
      expect(codesOf(() => secretsWith(sharedMatrix, secondLayer(second)))).toEqual(["MRL0424"]);
    });

    it("is refused when the base lacks one layer, which is then a copy of the other", () => {
      expect(codesOf(() => secretsWith(sharedMatrix))).toEqual(["MRL0424"]);
    });
  });
});
