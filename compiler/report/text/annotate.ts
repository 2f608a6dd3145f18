import { join, type Label } from "../../../ir/label.ts";
import type { OnnxModel, OnnxNode } from "../../onnx/format/index.ts";
import {
  joinBytes,
  lengthDelimited,
  onnxFields,
  splitFields,
  stringField,
  stringsOf,
} from "../../onnx/format/index.ts";
import { innerGraphNames } from "../../onnx/weights/index.ts";

/** What viewers show beside a node or a stored tensor: by key, without the `marillc.` in front. */
export type MetadataEntries = Readonly<Record<string, string | number>>;

export interface ModelMetadata {
  /** By the node's first output, which no other node of a graph has. */
  readonly nodes: ReadonlyMap<string, MetadataEntries>;
  readonly tensors: ReadonlyMap<string, MetadataEntries>;
}

const prefix = "marillc.";
/** Field numbers of metadata_props in onnx.proto (IR version 10); older readers pass over fields that they do not know. */
const metadataFields = { node: 9, tensor: 16 } as const;

/** The model with notes in its metadata; every other byte of its nodes and tensors stays as it is. */
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

/** The message with the contents of some fields exchanged; undefined: left alone. */
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

/** Notes take the place of those that an earlier check wrote; metadata of others stays. */
function appendMetadata(
  message: Uint8Array,
  number: number,
  notes: MetadataEntries | undefined,
): Uint8Array | undefined {
  if (!notes) return undefined;
  const isOurs = (entry: Uint8Array): boolean => stringsOf(entry, 1)[0]?.startsWith(prefix) ?? false;
  const kept = splitFields(message).flatMap((field) =>
    field.number === number && isOurs(field.body) ? [] : field.raw,
  );
  const added = Object.entries(notes).map(([key, value]) =>
    lengthDelimited(number, joinBytes([stringField(1, `${prefix}${key}`), stringField(2, String(value))])),
  );
  return joinBytes([...kept, ...added]);
}

/**
 * Label of each node's result, by its first output: whoever knows all that it depends on could compute it alone. `own`
 * are nodes that bring a secret of the server's with them: layers with an adapter.
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
      // What a Constant node stores is a weight under the name of its output.
      for (const output of node.outputs) values.set(output, join(label, labelOf(output)));
      return [node.outputs[0] ?? "", values.get(node.outputs[0] ?? "") ?? label];
    }),
  );
}
