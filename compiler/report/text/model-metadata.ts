import type { Diagnostic } from "../../../ir/diagnostic.ts";
import type { Label } from "../../../ir/label.ts";
import type { OnnxModel } from "../../onnx/format/index.ts";
import type { Ownership, OwnershipRecord } from "../../ownership/index.ts";
import { layerName, type OperatorCost } from "../cost/index.ts";
import { labelNodes, type MetadataEntries, type ModelMetadata } from "./annotate.ts";

/** The reason why a node of a model is unsupported, in fields. */
export interface Blocker extends Diagnostic {
  readonly node?: string;
  readonly operator?: string;
  readonly layer?: string;
}

/** Parses the location of a diagnostic of the import: `file, node "name" (Op), layer layers.3`. */
export function parseBlocker(diagnostic: Diagnostic): Blocker {
  const [, node, operator, layer] = /, node "(.*)" \((\w+)\)(?:, layer (.*))?$/s.exec(diagnostic.at ?? "") ?? [];
  return { ...diagnostic, ...(node !== undefined && { node, operator: operator! }), ...(layer && { layer }) };
}

const knownTo: Readonly<Record<Label, string>> = {
  public: "everyone",
  client: "client",
  server: "server",
  shared: "nobody alone",
};

/** What `check` found out about a model; everything, if the model compiles. */
export interface ModelFindings {
  readonly model: OnnxModel;
  readonly ownership?: Ownership;
  /** Owners of inputs; default: the client. */
  readonly inputs: ReadonlyMap<string, Label>;
  readonly blockers: readonly Blocker[];
  /** Operators on shares, of a model that compiles. */
  readonly operators?: readonly OperatorCost[];
}

/** Ownership by the file's own names. A tensor of several parameters is the server's if one of them is. */
function provenanceByTensor(ownership: Ownership | undefined): ReadonlyMap<string, OwnershipRecord> {
  const lines = new Map(ownership?.table.map((line) => [line.name, line]));
  const found = new Map<string, OwnershipRecord>();
  for (const { name, source } of ownership?.catalog.weights.values() ?? []) {
    const line = lines.get(name);
    for (const each of new Set([source.name, source.originalName ?? source.name])) {
      if (line && found.get(each)?.label !== "server") found.set(each, line);
    }
  }
  return found;
}

/** Metadata for viewers: who knows each tensor and each node's result, its protocols, and their cost for one query. */
export function modelMetadata({ model, ownership, inputs, blockers, operators = [] }: ModelFindings): ModelMetadata {
  const lines = new Map(ownership?.table.map((line) => [line.name, line]));
  const stored = provenanceByTensor(ownership);
  const given = new Set(
    model.graph.inputs.filter(({ name }) => !model.graph.initializers.has(name)).map(({ name }) => name),
  );
  const labelOf = (name: string): Label => {
    if (given.has(name)) return inputs.get(name) ?? "client";
    return stored.get(name)?.label ?? "public";
  };
  const adapted = (ownership?.catalog.names.linears ?? []).filter(
    ({ module }) => module !== undefined && lines.get(`${module}.lora_B`)?.label === "server",
  );
  const labels = labelNodes(model, labelOf, new Set(adapted.map(({ node }) => node)));
  const nodes = model.graph.nodes.map(({ name, outputs: [output = ""] }): [string, MetadataEntries] => {
    const mine = operators.filter(({ origin }) => origin === name && name !== "");
    const blocked = blockers.filter((blocker) => blocker.node === name);
    const label = labels.get(output)!;
    return [
      output,
      {
        known_to: knownTo[label],
        ...(layerName(name) !== "" && { layer: layerName(name) }),
        ...(mine.length > 0 && costMetadata(mine)),
        ...(blocked.length > 0 && { blocker: blocked.map(({ code, message }) => `${code}: ${message}`).join("; ") }),
      },
    ];
  });
  const tensors = [...model.graph.initializers.values()].map(
    ({ name, originalName = name }): [string, MetadataEntries] => {
      const line = stored.get(name) ?? stored.get(originalName);
      const constant: MetadataEntries = { known_to: knownTo.public, why: "a constant of the graph" };
      return [
        originalName,
        line
          ? { known_to: knownTo[line.label], why: line.why, ...(line.sha256 !== undefined && { sha256: line.sha256 }) }
          : constant,
      ];
    },
  );
  return { nodes: new Map(nodes), tensors: new Map(ownership ? tensors : []) };
}

const total = (all: readonly Readonly<Record<string, number>>[]): number =>
  all.reduce((sum, bytes) => sum + Object.values(bytes).reduce((part, count) => part + count, 0), 0);

const costMetadata = (operators: readonly OperatorCost[]): MetadataEntries => ({
  protocol: [...new Set(operators.map(({ protocol }) => protocol))].join(", "),
  rounds: operators.reduce((sum, { rounds }) => sum + rounds, 0),
  online_bytes: total(operators.map(({ bytes }) => bytes)),
  dealt_bytes: total(operators.map(({ correlationBytes }) => correlationBytes)),
});
