import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatTensor, node } from "../onnx/format/build-model.ts";
import { baseOf, type Case, cast, integers, layer, look, stored, width } from "./private-models.ts";

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
