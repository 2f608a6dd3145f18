import { type Diagnostic, throwIfAny } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import type { Dtype } from "../../tensors/index.ts";
import { encodeElements } from "../../tensors/index.ts";
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from "../format/index.ts";
import { bindDims } from "./import-dims.ts";

const whole: ReadonlySet<Dtype | undefined> = new Set(["int64", "int32", "bool"] as const);

/**
 * The model with inputs that no query decides stored in it: those that are empty with these sizes, as the past of a prompt
 * is, and those that are said to hold one number everywhere, as the mask of a text without padding does.
 */
export function settleInputs(
  model: OnnxModel,
  dims: ReadonlyMap<string, number>,
  fixed: ReadonlyMap<string, number> = new Map(),
): OnnxModel {
  const { graph } = model;
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  throwIfAny(unfit(model, inputs, fixed));
  // What is wrong with sizes is told by the import.
  const shapes = bindDims(model, inputs, dims, []);
  const settled = inputs.flatMap(({ name, dtype }): OnnxTensor[] => {
    const shape = shapes.get(name);
    const value = fixed.get(name);
    if (!shape || !dtype || (value === undefined && sizeOf(shape) > 0)) return [];
    return [{ name, dtype, dims: shape, source: { kind: "inline", bytes: bytesOf(dtype, sizeOf(shape), value) } }];
  });
  if (settled.length === 0) return model;
  const initializers = new Map([...graph.initializers, ...settled.map((tensor) => [tensor.name, tensor] as const)]);
  const empty = new Set(settled.filter(({ dims: extents }) => sizeOf(extents) === 0).map(({ name }) => name));
  return { ...model, graph: { ...graph, initializers, nodes: graph.nodes.map((node) => withoutPast(node, empty)) } };
}

/** Where attention has an optional past. */
const pastAt: Readonly<Record<string, readonly number[]>> = {
  Attention: [4, 5],
  "com.microsoft.Attention": [4],
  "com.microsoft.GroupQueryAttention": [3, 4],
  "com.microsoft.MultiHeadAttention": [6, 7],
};

/** An empty past is left out: of its sizes one may not be known, and ONNX Runtime looks at all. */
function withoutPast(node: OnnxNode, empty: ReadonlySet<string>): OnnxNode {
  const places = pastAt[node.domain === "" ? node.op : `${node.domain}.${node.op}`] ?? [];
  if (!places.some((place) => empty.has(node.inputs[place] ?? ""))) return node;
  const inputs = node.inputs.map((name, place) => (places.includes(place) && empty.has(name) ? "" : name));
  // A cache as wide as a window begins with a past.
  const attributes = new Map([...node.attributes].filter(([name]) => name !== "sliding_window_cache"));
  return { ...node, inputs, attributes };
}

function bytesOf(dtype: Dtype, count: number, value = 0): Uint8Array {
  if (dtype === "float16" || dtype === "bfloat16") return new Uint8Array(2 * count);
  return encodeElements(dtype, new Float64Array(count).fill(value));
}

function unfit({ file }: OnnxModel, inputs: readonly OnnxValueInfo[], fixed: ReadonlyMap<string, number>) {
  return [...fixed.keys()].flatMap((name): Diagnostic[] => {
    const input = inputs.find((each) => each.name === name);
    if (input && whole.has(input.dtype)) return [];
    const help = `inputs: ${inputs.map((each) => each.name).join(", ")}`;
    if (!input)
      return [{ code: "MRL0409", message: `--fix names "${name}", which is no input of the model`, at: file, help }];
    const message = `--fix ${name}: expected an input of whole numbers or truth values, found ${input.dtype ?? "another type"}`;
    return [{ code: "MRL0409", message, at: file }];
  });
}
