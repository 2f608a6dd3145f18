import type { onnx as proto } from "onnx-proto";
import { floatInfo, node } from "../../compiler/onnx/format/build-model.ts";
import { compile, type HostileCase, type HostileClass } from "./cases.ts";
import { graph, graphCase, integers, single, withAttributes } from "./models.ts";
import { hostileNames } from "./names.ts";
import { big, nodeCase } from "./operators.ts";

const branch = (name: string, nodes: proto.INodeProto[] = [node("Neg", ["h"], [name])]): proto.IGraphProto => {
  return { name, node: nodes, output: [floatInfo(name)] };
};
const truth = { name: "truth", dims: [], dataType: 9, int32Data: [1] };

/** A loop with this body and `trips` rounds. */
function loop(name: string, trips: number, body: proto.INodeProto[] = [node("Relu", ["s"], ["s2"])]): HostileCase {
  const inner = {
    name: "body",
    node: [node("Identity", ["c"], ["c2"]), ...body],
    input: [floatInfo("i"), floatInfo("c"), floatInfo("s", 1, 4)],
    output: [floatInfo("c2"), floatInfo("s2", 1, 4)],
  };
  return nodeCase(name, "Loop", { body: inner }, [single("trips", trips), truth], ["trips", "truth", "h"]);
}

/** `depth` nested loops of a thousand rounds each. */
function loops(depth: number, level = 0): proto.INodeProto[] {
  if (depth === 0) return [node("Identity", [`s${level}`], [`r${level}`])];
  const inner = {
    name: `body${level}`,
    node: [node("Identity", [`c${level}`], [`d${level}`]), ...loops(depth - 1, level + 1)],
    input: [floatInfo(`i${level}`), floatInfo(`c${level}`), floatInfo(`s${level + 1}`, 1, 4)],
    output: [floatInfo(`d${level}`), floatInfo(`r${level + 1}`, 1, 4)],
  };
  return [withAttributes(node("Loop", ["trips", "truth", `s${level}`], [`r${level}`]), { body: inner })];
}

function branches(depth: number): proto.INodeProto {
  const inner = (side: string): proto.IGraphProto => {
    const name = `${side}${depth}`;
    return {
      name,
      node: [depth === 1 ? node("Neg", ["h"], [name]) : { ...branches(depth - 1), output: [name] }],
      output: [floatInfo(name)],
    };
  };
  return withAttributes(node("If", ["condition"], ["y"]), {
    then_branch: inner("t"),
    else_branch: { ...branch(`e${depth}`) },
  });
}

/** `count` products of a constant matrix with itself. */
const powers = (size: number, count: number): proto.IGraphProto => ({
  initializer: [...graph().initializer!, integers("shape", size, size)],
  node: [
    node("ConstantOfShape", ["shape"], ["c0"]),
    ...Array.from({ length: count }, (_, at) => node("MatMul", [`c${at}`, `c${at}`], [`c${at + 1}`])),
    node("ReduceSum", [`c${count}`], ["sum"]),
    node("MatMul", ["x", "layer.weight"], ["h"]),
    node("Add", ["h", "sum"], ["y"]),
  ],
});

const named = (name: string): proto.IGraphProto => ({
  name,
  initializer: [{ ...graph().initializer![0]!, name }],
  node: [node("MatMul", ["x", name], [`${name}'`], name), node("Relu", [`${name}'`], ["y"], `/${name}/Relu`)],
});

export const graphClasses: readonly HostileClass[] = [
  {
    name: "cycles and names that are not once",
    open: compile,
    codes: ["MRL0104", "MRL0111", "MRL0112", "MRL0113"],
    cases: [
      graphCase("a node that reads itself", () => ({ node: [node("Add", ["x", "y"], ["y"])] })),
      graphCase("two nodes that read each other", () => {
        return { node: [node("Add", ["x", "y"], ["a"]), node("Relu", ["a"], ["y"])] };
      }),
      graphCase("a cycle of 50,000 nodes", () => {
        const nodes = Array.from({ length: 50_000 }, (_, at) =>
          node("Relu", [at === 0 ? "y" : `v${at}`], [at === 49_999 ? "y" : `v${at + 1}`]),
        );
        return { node: nodes };
      }),
      graphCase("a cycle through a graph inside", () => {
        const inner = branch("r", [node("Neg", ["y"], ["r"])]);
        return { input: [floatInfo("c")], node: [withAttributes(node("If", ["c"], ["y"]), { then_branch: inner })] };
      }),
      graphCase("a value made twice", () => ({ node: [node("Abs", ["x"], ["y"]), node("Neg", ["x"], ["y"])] })),
      graphCase("a node with one output twice", () => ({ node: [node("Split", ["x"], ["y", "y"])] })),
      graphCase("an input twice", () => ({ input: [floatInfo("x", 1, 4), floatInfo("x", 1, 4)] })),
      graphCase("an input that is computed", () => ({ node: [...graph().node!, node("Neg", ["y"], ["x"])] })),
      graphCase("an attribute twice", () => {
        const axis = { name: "axis", type: 2, i: 1 };
        return { node: [{ ...node("Softmax", ["x"], ["y"]), attribute: [axis, axis] }] };
      }),
      graphCase("an inner name that hides an outer one", () => {
        const inner = branch("h", [node("Neg", ["x"], ["h"])]);
        return {
          initializer: [...graph().initializer!, truth],
          node: [
            graph().node![0]!,
            withAttributes(node("If", ["truth"], ["y"]), { then_branch: inner, else_branch: branch("e") }),
          ],
        };
      }),
      graphCase("an input from nowhere", () => ({ node: [node("Abs", ["nowhere"], ["y"])] })),
      graphCase("an output from nowhere", () => ({ output: [floatInfo("nowhere")] })),
      graphCase("a node without an operator", () => ({ node: [node("", ["x"], ["y"])] })),
      graphCase("2,000 inputs from nowhere, with names of 10 KB", () => {
        const long = "n".repeat(10_000);
        return { node: Array.from({ length: 2_000 }, (_, at) => node("Abs", [`${long}${at}`], [`y${at}`], long)) };
      }),
      graphCase("a file in the wrong order", () => ({ node: [...graph().node!].reverse() }), true),
    ],
  },
  {
    name: "names",
    open: compile,
    codes: [],
    cases: hostileNames.map((name) => graphCase(JSON.stringify(name).slice(0, 60), () => named(name), true)),
  },
  {
    name: "inputs and outputs",
    open: compile,
    codes: ["MRL0112", "MRL0114", "MRL0402", "MRL0404", "MRL0405", "MRL0407", "MRL0302"],
    cases: [
      graphCase("2^32 rows", () => ({ input: [floatInfo("x", 2 ** 32, 4)] })),
      graphCase("2^30 rows", () => ({ input: [floatInfo("x", 2 ** 30, 4)] })),
      graphCase("2^53 rows", () => ({ input: [floatInfo("x", 2 ** 53, 4)] })),
      graphCase("-1 rows", () => ({ input: [floatInfo("x", -1, 4)] })),
      graphCase("a symbol", () => {
        const dim = [{ dimParam: "__proto__" }, { dimValue: 4 }];
        return { input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim } } } }] };
      }),
      graphCase("a sum of 10,000 symbols", () => {
        const dim = [{ dimParam: Array.from({ length: 10_000 }, (_, at) => `s${at}`).join(" + ") }, { dimValue: 4 }];
        return { input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim } } } }] };
      }),
      graphCase("no rank", () => ({ input: [{ name: "x", type: { tensorType: { elemType: 1 } } }] })),
      graphCase("no type", () => ({ input: [{ name: "x" }] })),
      graphCase("text", () => {
        return { input: [{ name: "x", type: { tensorType: { elemType: 8, shape: { dim: [] } } } }] };
      }),
      graphCase("a sequence", () => ({ input: [{ name: "x", type: { sequenceType: { elemType: {} } } }] })),
      graphCase("100 axes", () => ({ input: [floatInfo("x", ...Array<number>(100).fill(1))] })),
      graphCase("another inner size", () => ({ input: [floatInfo("x", 1, 5)] })),
      graphCase("no inputs", () => ({ input: [] })),
    ],
  },
  {
    name: "graphs inside, and constants that grow",
    open: compile,
    codes: ["MRL0106", "MRL0114", "MRL0404"],
    cases: [
      loop("a loop of 2^40 rounds", big),
      { ...loop("a loop of -5 rounds, which are none", -5), valid: true },
      graphCase("four loops in one another", () => ({
        initializer: [...graph().initializer!, single("trips", 1000), truth],
        node: [node("MatMul", ["x", "layer.weight"], ["s0"]), ...loops(4), node("Relu", ["r0"], ["y"])],
      })),
      nodeCase("a loop without a body", "Loop", {}, [single("trips", 3), truth], ["trips", "truth", "h"]),
      nodeCase(
        "a branch that is missing",
        "If",
        { then_branch: branch("t") },
        [{ ...truth, int32Data: [0] }],
        ["truth"],
      ),
      nodeCase("a branch that is a number", "If", { then_branch: 1, else_branch: 2 }, [truth], ["truth"]),
      nodeCase(
        "a branch without outputs",
        "If",
        { then_branch: { name: "t" }, else_branch: { name: "e" } },
        [truth],
        ["truth"],
      ),
      nodeCase("a scan over nothing", "Scan", { num_scan_inputs: 0, body: branch("b") }),
      nodeCase("a scan over 2^40 inputs", "Scan", { num_scan_inputs: big, body: branch("b") }),
      graphCase(
        "16 branches in one another",
        () => ({
          input: [floatInfo("x", 1, 4)],
          initializer: [...graph().initializer!, { ...truth, name: "condition" }],
          node: [graph().node![0]!, branches(16)],
        }),
        true,
      ),
      graphCase("30 branches in one another", () => ({
        initializer: [...graph().initializer!, { ...truth, name: "condition" }],
        node: [graph().node![0]!, branches(30)],
      })),
      graphCase("products of constants of 8192 × 8192", () => powers(8192, 3)),
      graphCase("a hundred products of constants of 512 × 512", () => powers(512, 100)),
      graphCase("a constant of 2^26 that is added to itself 40 times", () => ({
        initializer: [...graph().initializer!, integers("shape", 2 ** 26)],
        node: [
          node("ConstantOfShape", ["shape"], ["c0"]),
          ...Array.from({ length: 40 }, (_, at) => node("Add", [`c${at}`, `c${at}`], [`c${at + 1}`])),
          node("ReduceSum", ["c40"], ["sum"]),
          node("MatMul", ["x", "layer.weight"], ["h"]),
          node("Add", ["h", "sum"], ["y"]),
        ],
      })),
      graphCase("a weight that is transposed 100,000 times", () => ({
        node: [
          ...Array.from({ length: 100_000 }, (_, at) =>
            node("Transpose", [at === 0 ? "layer.weight" : `w${at}`], [`w${at + 1}`]),
          ),
          node("MatMul", ["x", "w100000"], ["y"]),
        ],
      })),
      graphCase("a value that doubles 40 times", () => ({
        node: [
          node("MatMul", ["x", "layer.weight"], ["v0"]),
          ...Array.from({ length: 40 }, (_, at) =>
            withAttributes(node("Concat", [`v${at}`, `v${at}`], [`v${at + 1}`]), { axis: 0 }),
          ),
          node("ReduceSum", ["v40"], ["y"]),
        ],
      })),
    ],
  },
];
