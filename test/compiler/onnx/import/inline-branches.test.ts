import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { inlineKnownBranches } from "../../../../compiler/onnx/import/inline-branches.ts";
import { untieInitializers } from "../../../../compiler/onnx/normalize/untie-initializers.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";
import { runImported } from "./recorded.ts";

const flag = (name: string, value: number): proto.ITensorProto => ({ name, dims: [], dataType: 9, int32Data: [value] });

type Branch = Pick<proto.IGraphProto, "initializer" | "node"> & { readonly to: readonly string[] };

const graphOf = ({ to, ...graph }: Branch): proto.IGraphProto => ({
  name: "branch",
  ...graph,
  output: to.map((name) => floatInfo(name, 2)),
});

const choose = (condition: string, outputs: string[], taken: Branch, other: Branch): proto.INodeProto => ({
  ...node("If", [condition], outputs),
  attribute: [
    { name: "then_branch", type: 5, g: graphOf(taken) },
    { name: "else_branch", type: 5, g: graphOf(other) },
  ],
});

const other: Branch = { node: [node("Neg", ["h"], ["z"])], to: ["z"] };
const otherTwice: Branch = { ...other, to: ["z", "z"] };

/** h = −x, the given nodes, and what they make. */
function inlined(nodes: proto.INodeProto[], outputs: string[], more: proto.ITensorProto[] = []) {
  const graph = {
    name: "g",
    initializer: [flag("yes", 1), flag("no", 0), ...more],
    input: [floatInfo("x", 2)],
    output: outputs.map((name) => floatInfo(name, 2)),
    node: [node("Neg", ["x"], ["h"]), ...nodes],
  };
  const before = untieInitializers(decodeModel(modelBytes(graph), "g.onnx"));
  const after = inlineKnownBranches(before, new Map());
  const x = new Map([["x", tensor([2], [3, -5])]]);
  const run = (model: typeof before) => [...runImported(importModel(model), x).values()].map(({ data }) => [...data]);
  expect(run(after)).toEqual(run(before));
  const names = after.graph.nodes.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  return { after, ops: after.graph.nodes.map(({ op }) => op), results: run(after) };
}

describe("an If whose condition is known", () => {
  it("is its branch, with what only the other reads left out", () => {
    const taken: Branch = {
      initializer: [floatTensor("b", [2], [1, 2])],
      node: [node("Add", ["h", "b"], ["z"])],
      to: ["z"],
    };
    const lost: Branch = {
      initializer: [floatTensor("c", [2], [8, 9])],
      node: [node("Mul", ["h", "c"], ["z"])],
      to: ["z"],
    };

    const { after, ops, results } = inlined([choose("yes", ["y"], taken, lost)], ["y"]);

    expect(ops).toEqual(["Neg", "Add"]);
    expect([...after.graph.initializers.keys()]).toContain("b");
    expect([...after.graph.initializers.keys()]).not.toContain("c");
    expect(results).toEqual([[-2, 7]]);
  });

  it("may ask for a size, also of what another branch makes", () => {
    const size = (from: string) => [
      node("Shape", [from], [`${from}.shape`]),
      node("Gather", [`${from}.shape`, "zero"], [`${from}.size`]),
      node("Equal", [`${from}.size`, "two"], [`${from}.fits`]),
    ];
    const integer = (name: string, value: number) => ({ name, dims: [], dataType: 7, int64Data: [value] });
    const doubled: Branch = { node: [node("Add", ["h", "h"], ["z"])], to: ["z"] };
    const squared: Branch = { node: [node("Mul", ["k", "k"], ["z"])], to: ["z"] };
    const nodes = [
      ...size("h"),
      choose("h.fits", ["k"], doubled, other),
      ...size("k"),
      choose("k.fits", ["y"], squared, other),
    ];

    const { ops, results } = inlined(nodes, ["y"], [integer("zero", 0), integer("two", 2)]);

    expect(ops).not.toContain("If");
    expect(results).toEqual([[36, 100]]);
  });

  it("keeps apart the names of two branches", () => {
    const step = (op: string): Branch => ({
      initializer: [floatTensor("one", [1], [op === "Add" ? 10 : 2])],
      node: [node(op, ["h", "one"], ["t"]), node("Abs", ["t"], ["z"])],
      to: ["z"],
    });
    const nodes = [
      choose("yes", ["a"], step("Add"), other),
      choose("no", ["b"], other, step("Mul")),
      node("Sub", ["a", "b"], ["y"]),
    ];

    const { ops, results } = inlined(nodes, ["y"]);

    expect(ops).toEqual(["Neg", "Add", "Abs", "Mul", "Abs", "Sub"]);
    expect(results).toEqual([[7 - 6, 15 - 10]]);
  });

  it("may give a value of the graph around, a constant, or one value twice", () => {
    const passed: Branch = { node: [], to: ["h", "h"] };
    const twice: Branch = { node: [node("Abs", ["h"], ["z"])], to: ["z", "z"] };
    const stored: Branch = { initializer: [floatTensor("c", [2], [8, 9])], node: [], to: ["c"] };
    const nodes = [
      choose("yes", ["a", "b"], passed, otherTwice),
      choose("no", ["c1", "d"], otherTwice, twice),
      choose("yes", ["e"], stored, other),
    ];

    const { results } = inlined(nodes, ["a", "b", "c1", "d", "e"]);

    expect(results).toEqual([
      [-3, 5],
      [-3, 5],
      [3, 5],
      [3, 5],
      [8, 9],
    ]);
  });

  it("renames inside the graphs of its nodes", () => {
    const inner: Branch = {
      node: [
        node("Abs", ["h"], ["u"]),
        choose(
          "maybe",
          ["z"],
          { node: [node("Abs", ["u"], ["t"])], to: ["t"] },
          { node: [node("Neg", ["u"], ["t"])], to: ["t"] },
        ),
      ],
      to: ["z"],
    };
    const nodes = [
      node("ReduceSum", ["h"], ["sum"]),
      { ...node("Cast", ["sum"], ["maybe"]), attribute: [{ name: "to", type: 2, i: 9 }] },
      choose("yes", ["first"], { node: [node("Add", ["h", "h"], ["u"]), node("Neg", ["u"], ["z"])], to: ["z"] }, other),
      choose("yes", ["a"], inner, other),
      node("Add", ["a", "first"], ["y"]),
    ];

    const { ops, results } = inlined(nodes, ["y"]);

    expect(ops).toEqual(["Neg", "ReduceSum", "Cast", "Add", "Neg", "Abs", "If", "Add"]);
    expect(results).toEqual([[3 + 6, 5 - 10]]);
  });

  it("stays where the client's value decides", () => {
    const nodes = [
      node("ReduceSum", ["h"], ["sum"]),
      { ...node("Cast", ["sum"], ["maybe"]), attribute: [{ name: "to", type: 2, i: 9 }] },
      choose("maybe", ["y"], { node: [node("Abs", ["h"], ["z"])], to: ["z"] }, other),
    ];

    expect(inlined(nodes, ["y"]).ops).toContain("If");
  });
});
