import { opsOf } from "../../ir/module.ts";
import { type Core, coreOf } from "./core.ts";
import { type Graph, layerOf, shapeOf } from "./graph.ts";
import { type Trace, TraceFault, traceBack, traceOn } from "./trace.ts";

/** The ways of queries, keys and values from stored tensors to attention, and of its result to the next ones. */
export interface Ways {
  readonly q: Trace;
  readonly k: Trace;
  readonly v: Trace;
  readonly o: Trace;
}

/** One attention of the model. */
export interface Site {
  /** Name of its last node. */
  readonly name: string;
  readonly layer: number | undefined;
  /** Heads of queries, groups of keys and values, numbers of each head. */
  readonly heads: number;
  readonly groups: number;
  readonly depth: number;
  /** Factor on the scores. */
  readonly scale: number;
  /** Or why its nodes cannot be taken apart. */
  readonly core: Core | string;
  /** Or why its heads were not found in stored tensors. */
  readonly ways: Ways | string;
}

/** Every attention that the importer recognises, in the order of the model. */
export function findSites(graph: Graph): readonly Site[] {
  const { module } = graph.canonical;
  return opsOf(module)
    .filter(({ name }) => name === "attention")
    .map((op): Site => {
      const [, heads = 1, , depth = 1] = shapeOf(module, op.operands[0]!);
      const groups = shapeOf(module, op.operands[1]!)[1]!;
      const end = graph.model.graph.nodes.find(({ name }) => name === op.origin);
      const core = end ? coreOf(graph, end, heads, groups) : "its nodes were not found";
      const ways = typeof core === "string" ? core : waysOf(graph, core, heads, groups);
      return {
        name: op.origin,
        layer: layerFor(graph, op.origin, ways),
        heads,
        groups,
        depth,
        scale: op.attrs.scale as number,
        core,
        ways,
      };
    });
}

function waysOf(graph: Graph, core: Core, heads: number, groups: number): Ways | string {
  try {
    const back = ({ tensor, turned }: Core["q"], count: number): Trace =>
      traceBack(graph, graph.valueFor(tensor)!, count, turned);
    return {
      q: back(core.q, heads),
      k: back(core.k, groups),
      v: back(core.v, groups),
      o: traceOn(graph, graph.valueFor(core.end.outputs[0]!)!, heads),
    };
  } catch (error) {
    if (error instanceof TraceFault) return error.message;
    throw error;
  }
}

function layerFor(graph: Graph, node: string, ways: Ways | string): number | undefined {
  const own = layerOf(node);
  if (own !== undefined || typeof ways === "string") return own;
  const names = ways.q.blocks.map(({ tensor }) => graph.plain.catalog.weights.get(tensor)?.name ?? "");
  return names.map(layerOf).find((layer) => layer !== undefined);
}
