import { join, type Label } from "../../../ir/label.ts";
import type { OnnxModel, OnnxNode } from "../../onnx/format/index.ts";
import { delimited, fields, joinBytes, splitFields, stringField, stringsOf } from "../../onnx/format/index.ts";
import { innerNames } from "../../onnx/weights/index.ts";

/** What viewers show beside a node or a stored tensor: by key, without the `marillc.` in front. */
export type Notes = Readonly<Record<string, string | number>>;

export interface Annotations {
  /** By the node's first output, which no other node of a graph has. */
  readonly nodes: ReadonlyMap<string, Notes>;
  readonly tensors: ReadonlyMap<string, Notes>;
}

const prefix = "marillc.";
/** Field numbers of metadata_props in onnx.proto (IR version 10); older readers pass over fields that they do not know. */
const metadata = { node: 9, tensor: 16 } as const;

/** The model with notes in its metadata; every other byte of its nodes and tensors stays as it is. */
export function annotate(bytes: Uint8Array, { nodes, tensors }: Annotations): Uint8Array {
  const graph = (body: Uint8Array): Uint8Array =>
    mapFields(body, (number, part) => {
      if (number === fields.graph.node) {
        const [output = ""] = stringsOf(part, fields.node.output);
        return withNotes(part, metadata.node, nodes.get(output));
      }
      if (number !== fields.graph.initializer) return undefined;
      const [name = ""] = stringsOf(part, fields.tensor.name);
      return withNotes(part, metadata.tensor, tensors.get(name));
    });
  return mapFields(bytes, (number, part) => (number === fields.model.graph ? graph(part) : undefined));
}

/** The message with the contents of some fields exchanged; undefined: left alone. */
function mapFields(
  message: Uint8Array,
  change: (number: number, body: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  return joinBytes(
    splitFields(message).map(({ number, raw, body }) => {
      const changed = change(number, body);
      return changed ? delimited(number, changed) : raw;
    }),
  );
}

/** Notes take the place of those that an earlier check wrote; metadata of others stays. */
function withNotes(message: Uint8Array, number: number, notes: Notes | undefined): Uint8Array | undefined {
  if (!notes) return undefined;
  const isOurs = (entry: Uint8Array): boolean => stringsOf(entry, 1)[0]?.startsWith(prefix) ?? false;
  const kept = splitFields(message).flatMap((field) =>
    field.number === number && isOurs(field.body) ? [] : field.raw,
  );
  const added = Object.entries(notes).map(([key, value]) =>
    delimited(number, joinBytes([stringField(1, `${prefix}${key}`), stringField(2, String(value))])),
  );
  return joinBytes([...kept, ...added]);
}

/**
 * Label of each node's result, by its first output: whoever knows all that it depends on could compute it alone. `own`
 * are nodes that bring a secret of the server's with them: layers with an adapter.
 */
export function labelsOfNodes(
  { graph }: OnnxModel,
  labelOf: (name: string) => Label,
  own: ReadonlySet<OnnxNode>,
): ReadonlyMap<string, Label> {
  const values = new Map<string, Label>();
  return new Map(
    graph.nodes.map((node) => {
      const names = [...node.inputs, ...innerNames(node)].filter((name) => name !== "");
      const label = join(
        own.has(node) ? "server" : "public",
        ...names.map((name) => values.get(name) ?? labelOf(name)),
      );
      // What a Constant node stores is a weight under the name of its output.
      for (const output of node.outputs) values.set(output, join(label, labelOf(output)));
      return [node.outputs[0] ?? "", values.get(node.outputs[0] ?? "") ?? label];
    }),
  );
}
