import { opsOf, type ValueId } from "../../ir/module.ts";
import { layerIndex, type ModelGraph } from "./model-graph.ts";

export interface FrozenLayers {
  /** Number of leading layers that stay unchanged. */
  readonly count: number;
  readonly total: number;
  /** File names of the frozen weights; the other weights, or their low-rank changes, are trained. */
  readonly weights: ReadonlySet<string>;
}

/**
 * Freezes leading layers and everything before them: the client computes the input of the first trained layer in the
 * clear. After them everything is trained, except embedding and head over the vocabulary: a public head lets the client
 * run it with `--head logits`.
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

/** A weight whose name gives no layer is in the layer of the node that reads it. */
function layerByReader(graph: ModelGraph, weight: string): number | undefined {
  return graph
    .consumers(weight)
    .map(({ name }) => layerIndex(name))
    .find((layer) => layer !== undefined);
}

/** Rows of the token embedding: the largest of all tables. */
function vocabularySize({ model }: ModelGraph): number | undefined {
  const tables = model.graph.nodes.flatMap(({ op, inputs }) => {
    const dims = op === "Gather" ? model.graph.initializers.get(inputs[0]!)?.dims : undefined;
    return dims?.length === 2 ? [dims[0]!] : [];
  });
  return tables.length === 0 ? undefined : Math.max(...tables);
}
