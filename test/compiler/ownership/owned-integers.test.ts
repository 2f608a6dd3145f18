import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatTensor, node } from "../onnx/format/build-model.ts";
import { baseOf, type Case, cast, integers, layer, load, look, stored, width } from "./private-models.ts";

describe("integers", () => {
  const q = numbers(width * width, 5, 90).map(Math.round);
  const scaled: Case = {
    initializer: [integers("fc1.q", [width, width], q, 3), floatTensor("fc1.s", [width], [0.01, 0.02, 0.01, 0.03])],
    nodes: [cast("fc1.q", "real"), node("Mul", ["real", "fc1.s"], ["w"]), layer(1, "h", "w", "y")],
  };

  it("are a weight when they become real, as in quantized models", () => {
    expect(look(scaled, { base: baseOf() }).secrets).toEqual(["fc1.q", "fc1.s"]);
    expect(look(scaled, { private: ["fc1.q"] }).secrets).toContain("fc1.q");
    const known = baseOf(
      stored("fc1.q", [width, width], q, "int64"),
      stored("fc1.s", [width], [0.01, 0.02, 0.01, 0.03]),
    );
    expect(look(scaled, { base: known }).secrets).toEqual([]);
  });

  it.each<[string, Case]>([
    [
      "computed with before",
      {
        initializer: [integers("t", [width, width], q), integers("one", [1], [1])],
        nodes: [node("Add", ["t", "one"], ["u"]), cast("u", "w"), layer(1, "h", "w", "y")],
      },
    ],
    [
      "with a parameter's name",
      {
        initializer: [integers("fc1.order", [width], [2, 0, 3, 1])],
        nodes: [{ ...node("Gather", ["h", "fc1.order"], ["y"]), attribute: [{ name: "axis", type: 2, i: 1 }] }],
      },
    ],
  ])("%s are refused where nothing proves them public", (_, given) => {
    expect(codesOf(() => look(given, { base: baseOf() }))).toEqual(["MRL0431"]);
    const [{ name, dims, int64Data }] = given.initializer as [proto.ITensorProto];
    const same = stored(name!, dims as number[], int64Data as number[], "int64");
    expect(look(given, { base: baseOf(same) }).secrets).toEqual([]);
  });
});

describe("indices that a pattern for many names matches", () => {
  const order = [2, 0, 3, 1];
  const gather = { ...node("Gather", ["h", "fc1.order"], ["g"]), attribute: [{ name: "axis", type: 2, i: 1 }] };
  const given: Case = {
    initializer: [integers("fc1.order", [width], order), floatTensor("fc1.scale", [width], [1, 2, 3, 4])],
    nodes: [gather, node("Mul", ["g", "fc1.scale"], ["y"])],
  };

  it("are public where the base has them", () => {
    const [known, moved] = [order, [0, 2, 3, 1]].map(
      (rows) => () => baseOf(stored("fc1.order", [width], rows, "int64")),
    );
    const secretsOf = (base: () => string, pattern: string) =>
      look(given, { base: base(), private: [pattern] }).secrets;

    expect(secretsOf(known!, "fc1.*")).toEqual(["fc1.scale"]);
    expect(codesOf(() => secretsOf(moved!, "fc1.*"))).toEqual(["MRL0431"]);
    expect(codesOf(() => secretsOf(known!, "fc1.order"))).toEqual(["MRL0431"]);
  });

  it("are refused without a base, and the advice works", () => {
    const run = () => look(given, { private: ["fc1.*"] });

    expect(run).toThrow("by --private fc1.*");
    expect(run).toThrow("add --public 'fc1.order'");
    expect(look(given, { private: ["fc1.*"], public: ["fc1.order"] }).secrets).toEqual(["fc1.scale"]);
  });

  it("are left out where nothing reads them", () => {
    const idle: Case = {
      initializer: given.initializer,
      nodes: [node("Mul", ["h", "fc1.scale"], ["y"])],
    };

    expect(codesOf(() => load(idle, { private: ["fc1.*"] }))).toEqual([]);
  });
});

describe("single numbers with an exporter's name", () => {
  it.each([
    "intercepts1",
    "coefficient2",
    "model/dense/BiasAdd/ReadVariableOp:0",
    "logit_scale",
  ])("%s is a parameter, of whatever size", (name) => {
    const one: Case = { initializer: [floatTensor(name, [1], [0.5])], nodes: [node("Add", ["h", name], ["y"])] };

    expect(look(one, { private: ["*"] }).secrets).toEqual(["fc0.weight", name]);
  });

  it.each([
    "val_41",
    "Constant_3",
    "const_fold_opt__12",
    "model/attention/Mul/y:0",
  ])("%s is part of the graph", (name) => {
    const one: Case = { initializer: [floatTensor(name, [1], [0.5])], nodes: [node("Add", ["h", name], ["y"])] };

    expect(look(one, { private: ["*"] }).secrets).toEqual(["fc0.weight"]);
  });

  it.each([
    ["unity", 1],
    ["exponent", 2],
    ["dec_Powcst", 3],
  ])("%s of skl2onnx is part of the graph with its value alone", (name, value) => {
    const of = (held: number): Case => ({
      initializer: [floatTensor(name, [1], [held])],
      nodes: [node("Mul", ["h", name], ["y"])],
    });

    expect(look(of(value), { private: ["*"] }).secrets).toEqual(["fc0.weight"]);
    if (!name.includes("Powcst")) expect(look(of(0.73), { private: ["*"] }).secrets).toEqual(["fc0.weight", name]);
  });

  it("an infinity is part of the graph under any name", () => {
    const start: Case = {
      initializer: [floatTensor("ninf", [], [-Infinity])],
      nodes: [node("Max", ["ninf", "h"], ["y"])],
    };

    expect(look(start, { private: ["*"] }).secrets).toEqual(["fc0.weight"]);
  });
});

describe("integer tables of positions", () => {
  const [places, few] = [8, 3];
  const table = (extent: number, of: (row: number, column: number) => number): Case => {
    const data = Array.from({ length: extent * extent }, (_, at) => of(Math.floor(at / extent), at % extent));
    return {
      initializer: [integers("t", [extent, extent], data)],
      nodes: [
        node("Abs", ["t"], ["u"]),
        cast("u", "real"),
        node("ReduceMax", ["real"], ["most"]),
        node("Mul", ["h", "most"], ["y"]),
      ],
    };
  };

  it.each<[string, (row: number, column: number) => number]>([
    ["distances", (row, column) => column - row],
    ["steps behind a place", (row, column) => (column > row ? 16 : 0)],
    ["distances up to an end", (row, column) => Math.max(row - column, 0)],
    ["one number", () => 15],
  ])("%s are part of the architecture", (_, of) => {
    expect(look(table(places, of), { base: baseOf() }).secrets).toEqual([]);
  });

  it.each<[string, number, (row: number, column: number) => number]>([
    ["one that is another number", places, (row, column) => (row === 5 && column === 2 ? 1 : column - row)],
    ["buckets that may be trained", places, (row, column) => [0, 3, 1, 4, 1, 5, 9, 2][Math.abs(column - row)]!],
    ["too few to tell", few, (row, column) => 7 * (column - row)],
  ])("%s are not", (_, extent, of) => {
    expect(codesOf(() => look(table(extent, of), { base: baseOf() }))).toEqual(["MRL0431"]);
  });
});
