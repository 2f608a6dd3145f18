import { join, type Label } from "../../../ir/label.ts";
import {
  joinBytes,
  lengthDelimited,
  type OnnxModel,
  type OnnxNode,
  onnxFields,
  splitFields,
  stringField,
  stringsOf,
} from "../../onnx/format/index.ts";
import { innerGraphNames } from "../../onnx/weights/index.ts";

/** Metadata that viewers show beside a node or a stored tensor, by key without the prefix `marillc.`. */
export type MetadataEntries = Readonly<Record<string, string | number>>;

export interface ModelMetadata {
  /** By the node's first output, which identifies the node. */
  readonly nodes: ReadonlyMap<string, MetadataEntries>;
  readonly tensors: ReadonlyMap<string, MetadataEntries>;
}

const prefix = "marillc.";
/** Field numbers of metadata_props in onnx.proto (IR version 10); older readers skip unknown fields. */
const metadataFields = { node: 9, tensor: 16 } as const;

/** Writes metadata into a serialized model; all other bytes of its nodes and tensors stay as they are. */
export function writeMetadata(bytes: Uint8Array, { nodes, tensors }: ModelMetadata): Uint8Array {
  const graph = (body: Uint8Array): Uint8Array =>
    mapFields(body, (number, part) => {
      if (number === onnxFields.graph.node) {
        const [output = ""] = stringsOf(part, onnxFields.node.output);
        return appendMetadata(part, metadataFields.node, nodes.get(output));
      }
      if (number !== onnxFields.graph.initializer) return undefined;
      const [name = ""] = stringsOf(part, onnxFields.tensor.name);
      return appendMetadata(part, metadataFields.tensor, tensors.get(name));
    });
  return mapFields(bytes, (number, part) => (number === onnxFields.model.graph ? graph(part) : undefined));
}

/** Replaces the contents of fields of a message; a field for which `change` returns undefined stays. */
function mapFields(
  message: Uint8Array,
  change: (number: number, body: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  return joinBytes(
    splitFields(message).map(({ number, raw, body }) => {
      const changed = change(number, body);
      return changed ? lengthDelimited(number, changed) : raw;
    }),
  );
}

/** Replaces the entries that an earlier check wrote; entries of other tools stay. */
function appendMetadata(
  message: Uint8Array,
  number: number,
  entries: MetadataEntries | undefined,
): Uint8Array | undefined {
  if (!entries) return undefined;
  const isOurs = (entry: Uint8Array): boolean => stringsOf(entry, 1)[0]?.startsWith(prefix) ?? false;
  const kept = splitFields(message).flatMap((field) =>
    field.number === number && isOurs(field.body) ? [] : field.raw,
  );
  const added = Object.entries(entries).map(([key, value]) =>
    lengthDelimited(number, joinBytes([stringField(1, `${prefix}${key}`), stringField(2, String(value))])),
  );
  return joinBytes([...kept, ...added]);
}

/**
 * The label of each node's result, by its first output: a party that knows all operands can compute it alone. `opaque`
 * nodes also depend on a secret of the server, such as an adapter.
 */
export function labelNodes(
  { graph }: OnnxModel,
  labelOf: (name: string) => Label,
  opaque: ReadonlySet<OnnxNode>,
): ReadonlyMap<string, Label> {
  const values = new Map<string, Label>();
  return new Map(
    graph.nodes.map((node) => {
      const names = [...node.inputs, ...innerGraphNames(node)].filter((name) => name !== "");
      const label = join(
        opaque.has(node) ? "server" : "public",
        ...names.map((name) => values.get(name) ?? labelOf(name)),
      );
      // The tensor of a Constant node is a weight under the name of its output.
      for (const output of node.outputs) values.set(output, join(label, labelOf(output)));
      return [node.outputs[0] ?? "", values.get(node.outputs[0] ?? "") ?? label];
    }),
  );
}
