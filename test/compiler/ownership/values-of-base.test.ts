import { describe, expect, it } from "vitest";
import { floatTensor, node } from "../onnx/format/build-model.ts";
import {
  addOf,
  baseOf,
  type Case,
  look,
  second,
  secretsWith,
  stored,
  turned,
  type Values,
  vector,
  width,
} from "./private-models.ts";

describe("the base's values at another position or in another order", () => {
  const table = stored("table.weight", [width, width], second);
  const rowsOfTable = (...order: number[]): number[] =>
    order.flatMap((row) => second.slice(row * width, (row + 1) * width));
  const namelessMatrix = (values: Values): Case => ({
    initializer: [floatTensor("onnx::MatMul_2", [width, width], [...values])],
    nodes: [node("MatMul", ["h", "onnx::MatMul_2"], ["y"])],
  });

  it.each([
    { order: "as they are", values: second },
    { order: "transposed", values: turned(second) },
    { order: "with one row in every place", values: rowsOfTable(1, 1, 1, 1) },
  ])("are public $order", ({ values }) => {
    const matrix = namelessMatrix(values);

    const secrets = secretsWith(matrix, table);

    expect(secrets).toEqual([]);
  });

  it.each([
    { order: "with rows in another order", values: rowsOfTable(2, 1, 3, 0) },
    { order: "with some rows left out", values: rowsOfTable(0, 1, 1, 3) },
    { order: "with another sign", values: second.map((value) => -value) },
  ])("are private $order", ({ values }) => {
    const matrix = namelessMatrix(values);

    const secrets = secretsWith(matrix, table);

    expect(secrets).toEqual(["onnx::MatMul_2"]);
  });

  it("are private in a table with fewer rows than the base's of its name", () => {
    const fewerRows = addOf("table.weight", [2, width], rowsOfTable(0, 1));

    const { secrets, why } = look(fewerRows, { base: baseOf(table) });

    expect(secrets).toEqual(["table.weight"]);
    expect(why.join()).toContain("has another shape");
  });

  it("are private as a column of scalars, which is no selection of rows", () => {
    const column = addOf("onnx::Add_2", [2, 1], [0.3, 0.1]);
    const longerColumn = stored("t.weight", [3, 1], [0.1, 0.2, 0.3]);

    const secrets = secretsWith(column, longerColumn);

    expect(secrets).toEqual(["onnx::Add_2"]);
  });
});

describe("the base's values, compared one by one", () => {
  const negativeZero = [0.5, -0, 0, 1];
  const positiveZero = [0.5, 0, 0, 1];
  const bias = addOf("fc1.bias", [width], negativeZero);

  it("differ in the sign of zero", () => {
    const secrets = secretsWith(bias, stored("fc1.bias", [width], positiveZero));

    expect(secrets).toEqual(["fc1.bias"]);
  });

  it("are equal with the same sign of zero", () => {
    const secrets = secretsWith(bias, stored("fc1.bias", [width], negativeZero));

    expect(secrets).toEqual([]);
  });
});

describe("a norm weight that the base stores as its difference from 1", () => {
  const onePlus = vector.map((value) => Math.fround(1 + Math.fround(value)));
  const folded: Case = {
    initializer: [floatTensor("onnx::Mul_2", [width], onePlus)],
    nodes: [node("Mul", ["h", "onnx::Mul_2"], ["y"])],
  };

  it("is recognized", () => {
    const secrets = secretsWith(folded, stored("norm.weight", [width], vector));

    expect(secrets).toEqual([]);
  });

  it("is private when the base does not have it", () => {
    const secrets = secretsWith(folded);

    expect(secrets).toEqual(["onnx::Mul_2"]);
  });
});

describe("trained frequencies", () => {
  const trained = [1, 0.7, 0.3, 0.1];
  const byFormula = [1, 0.1, 0.01, 0.001];
  const name = "m.rotary_emb.inv_freq";
  const model = addOf(name, [width], trained);

  it("are private when the base has others", () => {
    const secrets = secretsWith(model, stored(name, [width], byFormula));

    expect(secrets).toEqual([name]);
  });

  it("are public when the base has them", () => {
    const secrets = secretsWith(model, stored(name, [width], trained));

    expect(secrets).toEqual([]);
  });
});

describe("a weight that the base does not have", () => {
  it("has the initial values of its framework as surrogate, so that a new head compiles", () => {
    const gemm = node("Gemm", ["h", "classifier.weight", "classifier.bias"], ["y"], "/classifier/Gemm");
    const transposedWeight = { name: "transB", type: 2, i: 1 };
    const newHead: Case = {
      initializer: [
        floatTensor("classifier.weight", [width, width], second),
        floatTensor("classifier.bias", [width], vector),
      ],
      nodes: [{ ...gemm, attribute: [transposedWeight] }],
    };

    const { secrets, surrogate } = look(newHead, { base: baseOf() });

    expect(secrets).toEqual(["classifier.weight", "classifier.bias"]);
    expect(surrogate.initial).toEqual(["classifier.weight", "classifier.bias"]);
    expect([...surrogate.weights.get("classifier.bias")!.data]).toEqual([0, 0, 0, 0]);
    for (const value of surrogate.weights.get("classifier.weight")!.data) {
      expect(Math.abs(value)).toBeLessThanOrEqual(0.5);
      expect(second).not.toContain(value);
    }
  });
});
