import { type Diagnostic, throwIfAny } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import { type Dtype, encodeElements } from "../../tensors/index.ts";
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from "../format/index.ts";
import { bindDims } from "./bind-dims.ts";

const fixableTypes: ReadonlySet<Dtype | undefined> = new Set(["int64", "int32", "bool"] as const);

/**
 * Stores inputs that are the same for every query in the model: those that are empty with these sizes, as the past of a
 * prompt is, and those that the user fixes to a constant, as the mask of an unpadded text.
 */
export function bindConstantInputs(
  model: OnnxModel,
  dims: ReadonlyMap<string, number>,
  fixedInputs: ReadonlyMap<string, number> = new Map(),
): OnnxModel {
  const { graph } = model;
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  throwIfAny(invalidFixedInputs(model, inputs, fixedInputs));
  // The import reports problems of sizes.
  const { shapes } = bindDims(model, inputs, dims);
  const bound = inputs.flatMap(({ name, dtype }): OnnxTensor[] => {
    const shape = shapes.get(name);
    const value = fixedInputs.get(name);
    if (!shape || !dtype || (value === undefined && sizeOf(shape) > 0)) return [];
    return [{ name, dtype, dims: shape, source: { kind: "inline", bytes: filledBytes(dtype, sizeOf(shape), value) } }];
  });
  if (bound.length === 0) return model;
  const initializers = new Map([...graph.initializers, ...bound.map((tensor) => [tensor.name, tensor] as const)]);
  const empty = new Set(bound.filter(({ dims: sizes }) => sizeOf(sizes) === 0).map(({ name }) => name));
  return { ...model, graph: { ...graph, initializers, nodes: graph.nodes.map((node) => dropEmptyPast(node, empty)) } };
}

/** Optional inputs of attention that hold a past. */
const pastInputs: Readonly<Record<string, readonly number[]>> = {
  Attention: [4, 5],
  "com.microsoft.Attention": [4],
  "com.microsoft.GroupQueryAttention": [3, 4],
  "com.microsoft.MultiHeadAttention": [6, 7],
};

/** Removes an empty past: one of its sizes may be unknown, and ONNX Runtime checks all of them. */
function dropEmptyPast(node: OnnxNode, empty: ReadonlySet<string>): OnnxNode {
  const indices = pastInputs[node.domain === "" ? node.op : `${node.domain}.${node.op}`] ?? [];
  if (!indices.some((index) => empty.has(node.inputs[index] ?? ""))) return node;
  const inputs = node.inputs.map((name, index) => (indices.includes(index) && empty.has(name) ? "" : name));
  // A cache of the window's size begins with a past.
  const attributes = new Map([...node.attributes].filter(([name]) => name !== "sliding_window_cache"));
  return { ...node, inputs, attributes };
}

function filledBytes(dtype: Dtype, count: number, value = 0): Uint8Array {
  if (dtype === "float16" || dtype === "bfloat16") return new Uint8Array(2 * count);
  return encodeElements(dtype, new Float64Array(count).fill(value));
}

function invalidFixedInputs({ file }: OnnxModel, inputs: readonly OnnxValueInfo[], fixed: ReadonlyMap<string, number>) {
  return [...fixed.keys()].flatMap((name): Diagnostic[] => {
    const input = inputs.find((each) => each.name === name);
    if (input && fixableTypes.has(input.dtype)) return [];
    const help = `inputs: ${inputs.map((each) => each.name).join(", ")}`;
    if (!input)
      return [
        { code: "MRL0409", message: `--fix names "${name}", which is not an input of the model`, at: file, help },
      ];
    const message = `--fix ${name}: expected an input of integers or booleans, found ${input.dtype ?? "another type"}`;
    return [{ code: "MRL0409", message, at: file }];
  });
}
