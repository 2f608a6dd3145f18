import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { codesOf, floatInfo, floatTensor, node } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, type In, imported, int, of } from "./one-node.ts";

const info = (name: string, elemType: number, ...dims: number[]): proto.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});
const truth = (value: number): In => ({ shape: [], values: [value], known: true, dtype: "bool" });

/** sum' = sum + x · iteration, and x · sum' of each iteration; x is carried unchanged. */
const body: proto.IGraphProto = {
  name: "body",
  input: [info("round", 7), info("goes", 9), info("sum", 1, 2, 3), info("x", 1, 2, 3)],
  output: [info("goes_on", 9), info("sum_out", 1, 2, 3), info("x_out", 1, 2, 3), info("each", 1, 2, 3)],
  initializer: [{ name: "last", dims: [], dataType: 7, int64Data: [3] }],
  node: [
    { ...node("Cast", ["round"], ["number"]), attribute: [{ name: "to", type: 2, i: 1 }] },
    node("Mul", ["x", "number"], ["term"]),
    node("Add", ["sum", "term"], ["sum_out"]),
    node("Mul", ["x", "sum_out"], ["each"]),
    node("Identity", ["x"], ["x_out"]),
    node("Less", ["round", "last"], ["goes_on"]),
  ],
};
const loop = (rounds: In | undefined, condition: In | undefined, graph = body): Case => ({
  op: "Loop",
  inputs: [rounds, condition, of(2, 3), of(2, 3)],
  attrs: { body: { graph } },
  outputs: [true, true, true],
});

const branch = (op: string): proto.IGraphProto => ({
  name: op,
  initializer: [floatTensor("onnx::one", [1], [1])],
  node: [node(op, ["onnx::one", "onnx::one"], [`${op}_y`])],
  output: [floatInfo(`${op}_y`, 1)],
});
const choice = (condition: In): Case => ({
  op: "If",
  inputs: [condition],
  attrs: { then_branch: { graph: branch("Add") }, else_branch: { graph: branch("Sub") } },
});

const scanBody: proto.IGraphProto = {
  name: "body",
  input: [info("sum", 1, 3), info("a", 1, 3), info("b", 1, 3)],
  output: [info("sum_out", 1, 3), info("mixed", 1, 3)],
  node: [node("Add", ["sum", "a"], ["sum_out"]), node("Mul", ["sum_out", "b"], ["mixed"])],
};
const scan = (attrs: Case["attrs"], ...inputs: In[]): Case => ({
  op: "Scan",
  inputs,
  attrs: { body: { graph: scanBody }, num_scan_inputs: 2, ...attrs },
  outputs: [true, true],
});

const cases: readonly Case[] = [
  loop(int(2), truth(1)),
  loop(int(9), undefined),
  loop(undefined, truth(1)),
  choice(truth(1)),
  choice(truth(0)),
  scan({}, of(3), of(4, 3), of(4, 3)),
  scan(
    { scan_input_axes: [1, 0], scan_input_directions: [1, 0], scan_output_axes: [-1], scan_output_directions: [1] },
    of(3),
    of(3, 4),
    of(4, 3),
  ),
];
describe("graphs inside nodes", () => agreesWithRuntime(cases));

it("computes both branches of a secret condition", () => {
  const { module } = imported(choice({ shape: [], values: [1], dtype: "bool" }));
  expect(module.steps.flatMap(({ ops }) => ops.map(({ name }) => name))).toEqual(["where"]);
});

it("refuses loops whose length would reveal secrets, or that never end", () => {
  const code = (each: Case) => codesOf(() => imported(each));
  expect(code(loop({ shape: [], values: [2], dtype: "int64" }, truth(1)))).toEqual(["MRL0404"]);
  const secret = { ...body, node: [...body.node!.slice(0, -1), node("Less", ["sum_out", "x"], ["goes_on"])] };
  expect(code(loop(int(3), truth(1), secret))).toEqual(["MRL0404"]);
  const endless = { ...body, node: [...body.node!.slice(0, -1), node("Identity", ["goes"], ["goes_on"])] };
  expect(code(loop(int(1e12), truth(1), endless))).toEqual(["MRL0404"]);
  const trained = { ...body, initializer: [...body.initializer!, floatTensor("w", [2], [0.3, 0.7])] };
  expect(code(loop(int(2), truth(1), trained))).toEqual(["MRL0404"]);
});
