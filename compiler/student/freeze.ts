import { opsOf, type ValueId } from "../../ir/module.ts";
import type { Graph } from "./graph.ts";
import { layerOf } from "./graph.ts";

export interface Frozen {
  /** Layers from the first that stay as they are. */
  readonly layers: number;
  readonly of: number;
  /** Names in the file of weights that stay as they are; the rest is trained, or its low-rank change is. */
  readonly weights: ReadonlySet<string>;
}

/**
 * A prefix of the layers stays public, and everything before it: what the first trained layer reads from is computed in
 * the clear by the client. Behind the prefix everything is trained but what stands for the vocabulary, embedding or head:
 * a public head lets `--head logits` run it at the client.
 */
export function freeze(graph: Graph, share: number): Frozen {
  const { plain } = graph;
  const { module, catalog } = plain;
  const nodes = [...catalog.weights.values()];
  const layerOfWeight = new Map(
    nodes.map(({ name, source }) => [source.name, layerOf(name) ?? layerByReader(graph, source.name)]),
  );
  const of = Math.max(-1, ...[...layerOfWeight.values()].map((layer) => layer ?? -1)) + 1;
  const layers = Math.floor(share * of + 1e-9);
  const sourceOf = new Map(nodes.map(({ name, source }) => [name, source.name]));
  const paramWeight = (id: ValueId): string | undefined => {
    const key = graph.weightKey(id);
    return key === undefined ? undefined : sourceOf.get(plain.stored.get(key)!.weight);
  };
  const behind = new Set<ValueId>();
  const trained = new Set<string>();
  for (const op of opsOf(module)) {
    const own = op.operands.flatMap((id) => paramWeight(id) ?? []);
    const starts = own.some((weight) => (layerOfWeight.get(weight) ?? -1) >= layers);
    if (!starts && layers > 0 && !op.operands.some((id) => behind.has(id))) continue;
    behind.add(op.result);
    for (const weight of own) trained.add(weight);
  }
  const words = vocabulary(graph);
  const weights = nodes.flatMap(({ source: { name, dims } }) => {
    const ofVocabulary = layerOfWeight.get(name) === undefined && words !== undefined && dims.includes(words);
    return trained.has(name) && !ofVocabulary ? [] : [name];
  });
  return { layers, of, weights: new Set(weights) };
}

/** A weight whose name tells no layer is in the layer of the node that reads it. */
function layerByReader(graph: Graph, weight: string): number | undefined {
  return graph
    .readers(weight)
    .map(({ name }) => layerOf(name))
    .find((layer) => layer !== undefined);
}

/** Rows of the table that the tokens are looked up in: the largest of all tables. */
function vocabulary({ model }: Graph): number | undefined {
  const tables = model.graph.nodes.flatMap(({ op, inputs }) => {
    const dims = op === "Gather" ? model.graph.initializers.get(inputs[0]!)?.dims : undefined;
    return dims?.length === 2 ? [dims[0]!] : [];
  });
  return tables.length === 0 ? undefined : Math.max(...tables);
}
