import { opsOf } from "../../ir/module.ts";
import { type AttentionCore, findCore } from "./attention-core.ts";
import { layerIndex, type ModelGraph, shapeOf } from "./model-graph.ts";
import { type Trace, TraceFault, traceToOutput, traceToProjections } from "./trace-heads.ts";

/**
 * Paths of queries, keys and values from stored tensors to attention, and of its result to the projections that read
 * it.
 */
export interface HeadTraces {
  readonly q: Trace;
  readonly k: Trace;
  readonly v: Trace;
  readonly o: Trace;
}

/** One attention of the model. */
export interface AttentionSite {
  /** Name of its last node. */
  readonly name: string;
  readonly layer: number | undefined;
  /** Number of query heads, of key and value heads, and depth of each head. */
  readonly heads: number;
  readonly keyHeads: number;
  readonly depth: number;
  /** Factor on the scores. */
  readonly scale: number;
  /** Or why its nodes cannot be split. */
  readonly core: AttentionCore | string;
  /** Or why its heads were not found in stored tensors. */
  readonly traces: HeadTraces | string;
}

/** Every attention that the importer fuses, in model order. */
export function findAttentionSites(graph: ModelGraph): readonly AttentionSite[] {
  const { module } = graph.fused;
  return opsOf(module)
    .filter(({ name }) => name === "attention")
    .map((op): AttentionSite => {
      const [, heads = 1, , depth = 1] = shapeOf(module, op.operands[0]!);
      const groups = shapeOf(module, op.operands[1]!)[1]!;
      const end = graph.model.graph.nodes.find(({ name }) => name === op.origin);
      const core = end ? findCore(graph, end, heads, groups) : "its nodes were not found";
      const ways = typeof core === "string" ? core : traceHeads(graph, core, heads, groups);
      return {
        name: op.origin,
        layer: siteLayer(graph, op.origin, ways),
        heads,
        keyHeads: groups,
        depth,
        scale: op.attrs.scale as number,
        core,
        traces: ways,
      };
    });
}

function traceHeads(graph: ModelGraph, core: AttentionCore, heads: number, groups: number): HeadTraces | string {
  try {
    const back = ({ tensor, transposed }: AttentionCore["q"], count: number): Trace =>
      traceToProjections(graph, graph.valueFor(tensor)!, count, transposed);
    return {
      q: back(core.q, heads),
      k: back(core.k, groups),
      v: back(core.v, groups),
      o: traceToOutput(graph, graph.valueFor(core.end.outputs[0]!)!, heads),
    };
  } catch (error) {
    if (error instanceof TraceFault) return error.message;
    throw error;
  }
}

function siteLayer(graph: ModelGraph, node: string, ways: HeadTraces | string): number | undefined {
  const own = layerIndex(node);
  if (own !== undefined || typeof ways === "string") return own;
  const names = ways.q.blocks.map(({ tensor }) => graph.unfused.catalog.weights.get(tensor)?.name ?? "");
  return names.map(layerIndex).find((layer) => layer !== undefined);
}
