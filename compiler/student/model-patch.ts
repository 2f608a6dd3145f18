import { fail } from "../../ir/diagnostic.ts";
import {
  isTensorData,
  joinBytes,
  lengthDelimited,
  nodeBytes,
  numberField,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxFields,
  readExternalData,
  splitFields,
  stringField,
  stringsOf,
  tensorBytes,
  tensorProtoBytes,
} from "../onnx/format/index.ts";
import { itemSizes } from "../tensors/index.ts";

/** Changes of a model. A node is identified by its first output, which no other node of a graph has. */
export interface ModelPatch {
  /** Nodes to insert before a node, in the order in which they are computed. */
  readonly before: ReadonlyMap<string, readonly OnnxNode[]>;
  /** Nodes to insert right after a node. */
  readonly after: ReadonlyMap<string, readonly OnnxNode[]>;
  /** New inputs or outputs of a node; its other bytes stay as in the file. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  readonly outputs: ReadonlyMap<string, readonly string[]>;
  /** Nodes whose attributes change too: encoded anew. */
  readonly replaced: ReadonlyMap<string, OnnxNode>;
  /** Initializers that replace those of the same name, or are added. Inline: their bytes are in memory. */
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Values whose shape may change: their value_info is dropped. */
  readonly reshaped: ReadonlySet<string>;
}

export const emptyPatch: ModelPatch = {
  before: new Map(),
  after: new Map(),
  inputs: new Map(),
  outputs: new Map(),
  replaced: new Map(),
  tensors: new Map(),
  reshaped: new Set(),
};

export interface PatchedModel {
  readonly model: Uint8Array;
  /** Contents of the external data file, in order; empty: there is none. */
  readonly data: readonly (() => Uint8Array)[];
}

/** Data files are mapped into memory, so tensors begin at multiples of this. */
const alignment = 16;
/** Smaller tensors, in bytes, stay in the model file, as exporters do it. */
const smallBytes = 1024;

/**
 * Applies the changes and keeps every other byte: names, exporters' notes and unknown fields. Where the model stores
 * weights outside, they go to one file `dataFile` beside the new model, which depends on no other file.
 */
export function applyPatch(bytes: Uint8Array, model: OnnxModel, patch: ModelPatch, dataFile: string): PatchedModel {
  const store = createExternalData(dataFile);
  const external = [...model.graph.initializers.values()].some(({ source }) => source.kind === "external");
  const whole = splitFields(bytes).map(({ number, raw, body }) =>
    number === onnxFields.model.graph
      ? lengthDelimited(number, patchGraph(body, model, patch, external ? store : undefined))
      : raw,
  );
  return { model: joinBytes(whole), data: store.chunks };
}

function patchGraph(
  graph: Uint8Array,
  model: OnnxModel,
  patch: ModelPatch,
  store: ExternalData | undefined,
): Uint8Array {
  const parts = splitFields(graph);
  const { nodes, lost } = patchNodes(
    parts.filter(({ number }) => number === onnxFields.graph.node).map(({ body }) => body),
    model,
    patch,
  );
  const added = [...patch.tensors.values()].filter(({ name }) => !model.graph.initializers.has(name));
  const last = parts.findLastIndex(({ number }) => number === onnxFields.graph.initializer);
  const fresh = (): readonly Uint8Array[] => added.map((tensor) => newTensor(tensor, model, store));
  let placed = false;
  const out = parts.flatMap(({ number, raw, body }, at): readonly Uint8Array[] => {
    if (number === onnxFields.graph.node) {
      // The nodes stay together, at the position of the first of them.
      if (placed) return [];
      placed = true;
      return nodes;
    }
    if (number === onnxFields.graph.initializer) {
      const own = lengthDelimited(number, patchTensor(body, model, patch, store));
      return at === last ? [own, ...fresh()] : [own];
    }
    return number === onnxFields.graph.valueInfo ? patchValueInfo(body, raw, lost, patch) : [raw];
  });
  return joinBytes(last < 0 ? [...out, ...fresh()] : out);
}

/** Patches the value_info of a value; a weight whose shape changes keeps the exporter's notes. */
function patchValueInfo(
  body: Uint8Array,
  raw: Uint8Array,
  lost: ReadonlySet<string>,
  patch: ModelPatch,
): readonly Uint8Array[] {
  const [name = ""] = stringsOf(body, onnxFields.valueInfo.name);
  if (lost.has(name) || patch.reshaped.has(name)) return [];
  if (!patch.tensors.has(name)) return [raw];
  const rest = splitFields(body).flatMap((field) => (field.number === onnxFields.valueInfo.type ? [] : [field.raw]));
  return [lengthDelimited(onnxFields.graph.valueInfo, joinBytes(rest))];
}

/** The changed nodes; nodes that only served removed ones are removed too. */
function patchNodes(
  bodies: readonly Uint8Array[],
  model: OnnxModel,
  patch: ModelPatch,
): { readonly nodes: readonly Uint8Array[]; readonly lost: ReadonlySet<string> } {
  interface Entry {
    readonly outputs: readonly string[];
    readonly inputs: readonly string[];
    readonly bytes: Uint8Array;
  }
  const fresh = (node: OnnxNode): Entry => ({
    outputs: node.outputs,
    inputs: node.inputs,
    bytes: nodeBytes(model, node),
  });
  const lost = new Set<string>();
  const captured = capturedNames(model);
  const entries = bodies.flatMap((body): Entry[] => {
    const old = {
      outputs: stringsOf(body, onnxFields.node.output),
      inputs: stringsOf(body, onnxFields.node.input),
      bytes: body,
    };
    const key = old.outputs.find(Boolean) ?? "";
    const [inputs, outputs, replaced] = [patch.inputs.get(key), patch.outputs.get(key), patch.replaced.get(key)];
    // Values that depend on a change may have another shape: their value_info is dropped.
    if (inputs || outputs || replaced) for (const name of [...old.outputs, ...(outputs ?? [])]) lost.add(name);
    const own = replaced
      ? fresh(replaced)
      : { outputs: outputs ?? old.outputs, inputs: inputs ?? old.inputs, bytes: renameTensors(body, inputs, outputs) };
    return [...(patch.before.get(key) ?? []).map(fresh), own, ...(patch.after.get(key) ?? []).map(fresh)];
  });
  const wasRead = new Set([...model.graph.nodes.flatMap(({ inputs }) => inputs), ...captured]);
  const results = model.graph.outputs.map(({ name }) => name);
  const needed = new Set([...results, ...captured]);
  const kept = [...entries].reverse().filter(({ outputs, inputs }) => {
    const used = outputs.some((name) => needed.has(name)) || !outputs.some((name) => wasRead.has(name));
    if (used) for (const name of inputs) needed.add(name);
    else for (const name of outputs) lost.add(name);
    return used;
  });
  return { nodes: kept.reverse().map(({ bytes }) => lengthDelimited(onnxFields.graph.node, bytes)), lost };
}

/** Outer values that nested graphs read. */
function capturedNames({ graph }: OnnxModel): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: OnnxNode, inside: boolean): void => {
    if (inside) for (const name of node.inputs) names.add(name);
    for (const attribute of node.attributes.values()) {
      if (attribute.kind !== "graph") continue;
      for (const inner of attribute.value.nodes) visit(inner, true);
      for (const { name } of attribute.value.outputs) names.add(name);
    }
  };
  for (const node of graph.nodes) visit(node, false);
  return names;
}

function renameTensors(body: Uint8Array, inputs?: readonly string[], outputs?: readonly string[]): Uint8Array {
  if (!inputs && !outputs) return body;
  const { input, output } = onnxFields.node;
  const dropped = (number: number): boolean => (number === input && !!inputs) || (number === output && !!outputs);
  return joinBytes([
    ...(inputs ?? []).map((name) => stringField(input, name)),
    ...(outputs ?? []).map((name) => stringField(output, name)),
    ...splitFields(body).flatMap(({ number, raw }) => (dropped(number) ? [] : [raw])),
  ]);
}

/** An initializer: changed, moved to the new data file, or unchanged. */
function patchTensor(
  body: Uint8Array,
  model: OnnxModel,
  patch: ModelPatch,
  store: ExternalData | undefined,
): Uint8Array {
  const [name = ""] = stringsOf(body, onnxFields.tensor.name);
  const old = model.graph.initializers.get(name);
  const changed = patch.tensors.get(name);
  if (!old) return body;
  if (!changed) {
    if (old.source.kind !== "external") return body;
    const { source } = old;
    const read = (): Uint8Array => readExternalData(model.file, name, source);
    return withLocation(body, store!.put(dataKey(old), source.length, read));
  }
  if (old.source.kind === "inline") return tensorProtoBytes(model, changed);
  return withLocation(
    withoutData(tensorProtoBytes(model, changed)),
    store!.put(name, sizeInBytes(changed), () => tensorBytes(model, changed)),
  );
}

function newTensor(tensor: OnnxTensor, model: OnnxModel, store: ExternalData | undefined): Uint8Array {
  const whole = tensorProtoBytes(model, tensor);
  const outside = store !== undefined && sizeInBytes(tensor) >= smallBytes;
  const body = outside
    ? withLocation(
        withoutData(whole),
        store.put(tensor.name, sizeInBytes(tensor), () => tensorBytes(model, tensor)),
      )
    : whole;
  return lengthDelimited(onnxFields.graph.initializer, body);
}

const sizeInBytes = ({ dims, dtype }: OnnxTensor): number => dims.reduce((size, dim) => size * dim, itemSizes[dtype]);

/** Tensors that share a range of an old file share one in the new file. */
const dataKey = ({ source, name }: OnnxTensor): string =>
  source.kind === "external" ? `${source.location}\n${source.offset}\n${source.length}` : name;

const withoutData = (body: Uint8Array): Uint8Array =>
  joinBytes(splitFields(body).flatMap(({ number, raw }) => (isTensorData(number) ? [] : [raw])));

interface DataLocation {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

function withLocation(body: Uint8Array, location: DataLocation): Uint8Array {
  const entry = (key: string, value: string): Uint8Array =>
    lengthDelimited(onnxFields.tensor.externalData, joinBytes([stringField(1, key), stringField(2, value)]));
  const entries = Object.entries(location).map(([key, value]) => entry(key, String(value)));
  return joinBytes([withoutData(body), ...entries, numberField(onnxFields.tensor.dataLocation, 1)]);
}

interface ExternalData {
  readonly chunks: (() => Uint8Array)[];
  readonly put: (key: string, length: number, read: () => Uint8Array) => DataLocation;
}

function createExternalData(location: string): ExternalData {
  const chunks: (() => Uint8Array)[] = [];
  const locations = new Map<string, DataLocation>();
  let end = 0;
  return {
    chunks,
    put: (key, length, read) => {
      const known = locations.get(key);
      if (known) return known;
      const gap = (alignment - (end % alignment)) % alignment;
      if (gap > 0) chunks.push(() => new Uint8Array(gap));
      chunks.push(read);
      const allocated = { location, offset: end + gap, length };
      locations.set(key, allocated);
      end = allocated.offset + allocated.length;
      return allocated;
    },
  };
}

/**
 * Refuses weights that the graph also lists among its inputs (IR 3), because it then states their shape twice. Errors:
 * MRL0686.
 */
export function refuseWeightInputs(model: OnnxModel, names: Iterable<string>): void {
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  for (const name of names) {
    if (!inputs.has(name)) continue;
    fail({
      code: "MRL0686",
      message: `the weight ${name} is also listed as an input of the graph, and a rewrite would change it`,
      at: model.file,
      help: "export with keep_initializers_as_inputs=False",
    });
  }
}
