import { createHash } from "node:crypto";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { OnnxNode, OnnxTensor } from "../onnx/format/index.ts";
import type { LinearNode } from "../onnx/weights/index.ts";
import { createFixedStream, type Dtype, encodeElements } from "../tensors/index.ts";
import type { FrozenLayers } from "./freeze.ts";
import { layerIndex, type ModelGraph } from "./model-graph.ts";
import { emptyPatch, type ModelPatch } from "./model-patch.ts";
import { createNodeWriter, nodeScope } from "./node-writer.ts";

export interface LoraOptions {
  readonly rank: number;
  /** alpha / rank scales the branch. */
  readonly alpha: number;
  /** Suffixes of module paths (`q_proj`); absent: every linear layer of the trained layers. */
  readonly targets?: readonly string[];
  /** A keeps its public initial values, only B is trained (LoRA-FA). */
  readonly freezeA: boolean;
}

/** One linear layer with a low-rank branch: names of its initializers in the file. */
export interface LoraLayer {
  readonly module: string;
  readonly weight: string;
  readonly a: string;
  readonly b: string;
  readonly shape: readonly [inner: number, outer: number];
}

export interface AddedLora {
  readonly layers: readonly LoraLayer[];
  readonly patch: ModelPatch;
  /** MRL0682 and MRL0683. */
  readonly problems: readonly Diagnostic[];
}

/**
 * Low-rank branches beside the linear layers of what is not frozen, as PEFT starts them:
 *
 *   x·W + s · (x·A)·B = x·W while B = 0
 *
 * A is uniform within ±1/√in, from a stream that the layer's name seeds: the same student each time.
 */
export function addLora(
  graph: ModelGraph,
  frozen: FrozenLayers,
  options: LoraOptions,
  resizedTensors: ReadonlyMap<string, OnnxTensor>,
): AddedLora {
  const problems: Diagnostic[] = [];
  const found = graph.unfused.catalog.names.linears.filter((linear) => isTarget(linear, frozen, options));
  const at = graph.model.file;
  if (found.length === 0) {
    const paths = graph.unfused.catalog.names.linears.map(({ module }) => module ?? "?");
    const help = `linear layers: ${paths.slice(0, 8).join(", ")}${paths.length > 8 ? ", …" : ""}`;
    problems.push({ code: "MRL0682", message: "no linear layer matches the targets of the low-rank change", at, help });
  }
  const wrapper = modulePrefix(graph);
  const layers: LoraLayer[] = [];
  const after = new Map<string, readonly OnnxNode[]>();
  const outputs = new Map<string, readonly string[]>();
  const tensors = new Map<string, OnnxTensor>();
  for (const { node, module, weight, outFirst } of found) {
    const { dims, dtype } = resizedTensors.get(weight) ?? graph.model.graph.initializers.get(weight)!;
    const [inner, outer] = (outFirst ? [dims[1], dims[0]] : dims) as [number, number];
    if (dtype !== "float32" && dtype !== "float64") {
      const message = `${module} has weights of type ${dtype}: a low-rank change needs float32 or float64`;
      problems.push({ code: "MRL0683", message, at, help: "export the model in float32" });
      continue;
    }
    const [a, b] = ["A", "B"].map((half) => `${wrapper}${module}.lora_${half}.weight`) as [string, string];
    tensors.set(a, floatTensor(a, dtype, [inner, options.rank], initialMatrix(a, inner, options.rank)));
    tensors.set(b, floatTensor(b, dtype, [options.rank, outer], new Float64Array(options.rank * outer)));
    const write = createNodeWriter(nodeScope(node.name, "lora"));
    const [result] = node.outputs as [string];
    const plain = `${nodeScope(node.name, "lora")}/base`;
    const low = write.add("MatMul", [node.inputs[0]!, a]);
    const high = write.add("MatMul", [low, b]);
    const scale = options.alpha / options.rank;
    const change = scale === 1 ? high : write.add("Mul", [high, write.number(scale, dtype)]);
    write.add("Add", [plain, change], {}, result);
    after.set(result, write.nodes);
    outputs.set(result, [plain]);
    for (const [name, tensor] of write.tensors) tensors.set(name, tensor);
    layers.push({ module: module!, weight, a, b, shape: [inner, outer] });
  }
  return { layers, patch: { ...emptyPatch, after, outputs, tensors }, problems };
}

/**
 * The wrapper prefix of parameter names in this file (`m.`): new names get it too, so that they are recovered alike.
 */
function modulePrefix({ unfused: { catalog } }: ModelGraph): string {
  const kept = [...catalog.weights.values()].filter(({ recovered }) => recovered?.how === "kept");
  const wrapped = kept.find(({ name, source }) => source.name !== name && source.name.endsWith(`.${name}`));
  return wrapped ? wrapped.source.name.slice(0, -wrapped.name.length) : "";
}

function isTarget({ module, node }: LinearNode, frozen: FrozenLayers, { targets }: LoraOptions): boolean {
  if (module === undefined) return false;
  const layer = layerIndex(module) ?? layerIndex(node.name);
  const trained = frozen.total === 0 || (layer !== undefined && layer >= frozen.count);
  return trained && (targets?.some((end) => module === end || module.endsWith(`.${end}`)) ?? true);
}

function floatTensor(name: string, dtype: Dtype, dims: readonly number[], data: Float64Array): OnnxTensor {
  return { name, dtype, dims, source: { kind: "inline", bytes: encodeElements(dtype as "float32", data) } };
}

/** Uniform within ±1/√in. */
function initialMatrix(name: string, inner: number, rank: number): Float64Array {
  const next = createFixedStream(createHash("sha256").update(name).digest().readUInt32LE(0));
  const bound = 1 / Math.sqrt(inner);
  return new Float64Array(inner * rank).map(() => bound * (2 * next() - 1));
}
