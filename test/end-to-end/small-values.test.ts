import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, describe, expect, it } from "vitest";
import { drawnCase, precisionOf } from "../../scripts/tables/precision.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "./tiny-model.ts";

const root = mkdtempSync(join(tmpdir(), "marillc-small-"));
afterAll(() => rmSync(root, { recursive: true }));

type Node = proto.INodeProto;
const float = (name: string, f: number): proto.IAttributeProto => ({ name, type: 1, f });
const int = (name: string, i: number): proto.IAttributeProto => ({ name, type: 2, i });
const withAttributes = (made: Node, ...attribute: proto.IAttributeProto[]): Node => ({ ...made, attribute });

interface Small {
  /** Operators on the small value `s` [1, 64] that make `y`. */
  readonly nodes: readonly Node[];
  readonly initializer?: readonly proto.ITensorProto[];
  readonly shape?: readonly number[];
}

const ones = floatTensor("one", [64], Array(64).fill(1));
const zeros = floatTensor("zero", [64], Array(64).fill(0));
const ints = (name: string, values: readonly number[]): proto.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: 7,
  int64Data: [...values],
});

/** What divides by, or takes a root of, something far below 1. */
const cases: Readonly<Record<string, Small>> = {
  "layer norm": {
    nodes: [withAttributes(node("LayerNormalization", ["s", "one", "zero"], ["y"]), float("epsilon", 1e-5))],
    initializer: [ones, zeros],
  },
  "layer norm, small epsilon": {
    nodes: [withAttributes(node("LayerNormalization", ["s", "one", "zero"], ["y"]), float("epsilon", 1e-12))],
    initializer: [ones, zeros],
  },
  "rms norm": {
    nodes: [
      withAttributes(node("Constant", [], ["epsilon"]), { name: "value", type: 4, t: floatTensor("", [], [1e-6]) }),
      node("Mul", ["s", "s"], ["squares"]),
      withAttributes(node("ReduceMean", ["squares"], ["mean"]), { name: "axes", type: 7, ints: [-1] }),
      node("Add", ["mean", "epsilon"], ["sum"]),
      node("Sqrt", ["sum"], ["root"]),
      node("Div", ["s", "root"], ["y"]),
    ],
  },
  "instance norm": {
    nodes: [
      node("Reshape", ["s", "planes"], ["p"]),
      withAttributes(node("InstanceNormalization", ["p", "four", "none"], ["q"]), float("epsilon", 1e-5)),
      node("Reshape", ["q", "flat"], ["y"]),
    ],
    initializer: [
      ints("planes", [1, 4, 16]),
      ints("flat", [1, 64]),
      floatTensor("four", [4], [1, 1, 1, 1]),
      floatTensor("none", [4], [0, 0, 0, 0]),
    ],
  },
  "unit length": {
    nodes: [withAttributes(node("LpNormalization", ["s"], ["y"]), int("p", 2), int("axis", -1))],
  },
  "length and quotient": {
    nodes: [
      withAttributes(node("ReduceL2", ["s"], ["length"]), { name: "axes", type: 7, ints: [-1] }),
      node("Div", ["s", "length"], ["y"]),
    ],
  },
  "quotient of sums": {
    nodes: [
      node("Mul", ["s", "s"], ["squares"]),
      withAttributes(node("ReduceSum", ["squares", "last"], ["sum"]), int("keepdims", 1)),
      node("Div", ["squares", "sum"], ["y"]),
    ],
    initializer: [ints("last", [1])],
  },
  softmax: { nodes: [withAttributes(node("Softmax", ["s"], ["y"]), int("axis", -1))] },
};

/** x [1, 16] → 0.002·(x·W + b) → … */
function write(name: string, { nodes, initializer = [], shape = [1, 64] }: Small): string {
  const file = join(root, `${name.replaceAll(" ", "-")}.onnx`);
  const graph = {
    name: "small",
    initializer: [
      floatTensor("fc.weight", [16, 64], numbers(1024, 3, 0.25)),
      floatTensor("fc.bias", [64], numbers(64, 5, 0.25)),
      floatTensor("factor", [], [0.002]),
      ...initializer,
    ],
    input: [floatInfo("x", 1, 16)],
    output: [floatInfo("y", ...shape)],
    node: [
      node("MatMul", ["x", "fc.weight"], ["product"]),
      node("Add", ["product", "fc.bias"], ["linear"]),
      node("Mul", ["linear", "factor"], ["s"]),
      ...nodes,
    ],
  };
  writeFileSync(file, modelBytes(graph as proto.IGraphProto));
  return file;
}

describe("operators on values far below 1", () => {
  it.each(Object.entries(cases))("%s is within 2^-9 of its largest output", async (name, each) => {
    const drawn = drawnCase(write(name, each), mkdtempSync(join(root, "in-")));
    const { error, most } = await precisionOf(drawn, { private: ["fc.*"] });
    expect(error / most).toBeLessThan(2 ** -9);
  });
});
