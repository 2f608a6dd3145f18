import { opsOf, type ValueId } from "../../ir/module.ts";
import type { ModelGraph } from "./model-graph.ts";
import { layerIndex } from "./model-graph.ts";

export interface FrozenLayers {
  /** Layers from the first that stay as they are. */
  readonly count: number;
  readonly total: number;
  /** Names in the file of weights that stay as they are; the rest is trained, or its low-rank change is. */
  readonly weights: ReadonlySet<string>;
}

/**
 * A prefix of the layers stays public, and everything before it: what the first trained layer reads from is computed in
 * the clear by the client. Behind the prefix everything is trained but what stands for the vocabulary, embedding or head:
 * a public head lets `--head logits` run it at the client.
 */
export function freezeLayers(graph: ModelGraph, fraction: number): FrozenLayers {
  const { unfused } = graph;
  const { module, catalog } = unfused;
  const nodes = [...catalog.weights.values()];
  const layerOfWeight = new Map(
    nodes.map(({ name, source }) => [source.name, layerIndex(name) ?? layerByReader(graph, source.name)]),
  );
  const total = Math.max(-1, ...[...layerOfWeight.values()].map((layer) => layer ?? -1)) + 1;
  const layers = Math.floor(fraction * total + 1e-9);
  const sourceOf = new Map(nodes.map(({ name, source }) => [name, source.name]));
  const paramWeight = (id: ValueId): string | undefined => {
    const key = graph.weightKey(id);
    return key === undefined ? undefined : sourceOf.get(unfused.storedWeights.get(key)!.weight);
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
  const words = vocabularySize(graph);
  const weights = nodes.flatMap(({ source: { name, dims } }) => {
    const ofVocabulary = layerOfWeight.get(name) === undefined && words !== undefined && dims.includes(words);
    return trained.has(name) && !ofVocabulary ? [] : [name];
  });
  return { count: layers, total, weights: new Set(weights) };
}

/** A weight whose name tells no layer is in the layer of the node that reads it. */
function layerByReader(graph: ModelGraph, weight: string): number | undefined {
  return graph
    .consumers(weight)
    .map(({ name }) => layerIndex(name))
    .find((layer) => layer !== undefined);
}

/** Rows of the table that the tokens are looked up in: the largest of all tables. */
function vocabularySize({ model }: ModelGraph): number | undefined {
  const tables = model.graph.nodes.flatMap(({ op, inputs }) => {
    const dims = op === "Gather" ? model.graph.initializers.get(inputs[0]!)?.dims : undefined;
    return dims?.length === 2 ? [dims[0]!] : [];
  });
  return tables.length === 0 ? undefined : Math.max(...tables);
}
