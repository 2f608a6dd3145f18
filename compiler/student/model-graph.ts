import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { usersOf } from "../../ir/uses.ts";
import type { OnnxModel, OnnxNode } from "../onnx/format/index.ts";
import { constantPrefix } from "../onnx/import/graph/index.ts";
import { type ImportedModel, importModel } from "../onnx/import/index.ts";
import type { Ownership } from "../ownership/index.ts";

/** A model as a file and as a module: edits change nodes of the file, and the module knows shapes and constants. */
export interface ModelGraph {
  readonly model: OnnxModel;
  /** The module before fusion: each of its ops comes from one node. */
  readonly unfused: ImportedModel;
  /** The module with attention fused. */
  readonly fused: ImportedModel;
  /** The node that defines an ONNX tensor. */
  readonly producer: (tensor: string) => OnnxNode | undefined;
  /** Nodes that read an ONNX tensor. */
  readonly consumers: (tensor: string) => readonly OnnxNode[];
  /** The value of the unfused module for an ONNX tensor; undefined for constants and weights. */
  readonly valueFor: (tensor: string) => ValueId | undefined;
  readonly definingOp: (id: ValueId) => Op | undefined;
  readonly users: (id: ValueId) => readonly Op[];
  /** Ops of a node. */
  readonly opsOfNode: (node: OnnxNode) => readonly Op[];
  /** Key of a trained parameter in the weight store; undefined for values and constants. */
  readonly weightKey: (id: ValueId) => string | undefined;
}

export function readModelGraph(model: OnnxModel, dims: ReadonlyMap<string, number>, ownership?: Ownership): ModelGraph {
  const given = { dims, ...(ownership && { ownership }) };
  const unfused = importModel(model, { ...given, fuse: false });
  const fused = importModel(model, given);
  const { module } = unfused;
  const producers = new Map(model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of model.graph.nodes) {
    for (const name of node.inputs) consumers.set(name, [...(consumers.get(name) ?? []), node]);
  }
  const values = new Map([...unfused.sources].map(([id, source]) => [source, id]));
  const definers = new Map(opsOf(module).map((op) => [op.result, op]));
  const users = usersOf(opsOf(module));
  const byOrigin = new Map<string, Op[]>();
  for (const op of opsOf(module)) byOrigin.set(op.origin, [...(byOrigin.get(op.origin) ?? []), op]);
  // Operators that change nothing here (casts between float types) have no value of their own.
  const valueFor = (tensor: string): ValueId | undefined => {
    for (let name = tensor; ; ) {
      const id = values.get(name);
      if (id !== undefined) return Object.hasOwn(module.params, id) ? undefined : id;
      const maker = producers.get(name);
      if (!maker || !passThroughOps.has(maker.op)) return undefined;
      name = maker.inputs[0]!;
    }
  };
  return {
    model,
    unfused,
    fused,
    valueFor,
    producer: (tensor) => producers.get(tensor),
    consumers: (tensor) => consumers.get(tensor) ?? [],
    definingOp: (id) => definers.get(id),
    users: (id) => users.get(id) ?? [],
    opsOfNode: ({ name }) => byOrigin.get(name) ?? [],
    weightKey: (id) => {
      const key = module.params[id];
      return key === undefined || key.startsWith(constantPrefix) ? undefined : key;
    },
  };
}

const passThroughOps: ReadonlySet<string> = new Set([
  "Cast",
  "Identity",
  "Dropout",
  "Reshape",
  "Expand",
  "Unsqueeze",
  "Squeeze",
]);

export const shapeOf = (module: Module, id: ValueId): readonly number[] => module.values[id]!.type.shape;

/** Index of the layer in a path: `model.layers.3.mlp.up_proj` is in layer 3. */
export function layerIndex(path: string): number | undefined {
  const found = /(?:^|[./])(?:layers?|h|blocks?)\.(\d+)(?=[./]|$)/.exec(path);
  return found ? Number(found[1]) : undefined;
}
