import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { OnnxTensor } from "../onnx/format/index.ts";
import type { Dtype } from "../tensors/index.ts";
import type { Core } from "./core.ts";
import type { Graph } from "./graph.ts";
import { type Grouping, type HeadOrder, identityOrder, mergedHeads, orderBySimilarity, strongest } from "./grouping.ts";
import { mergePatch } from "./merge.ts";
import { emptyPatch, type Patch, refuseListedWeights } from "./patch.ts";
import { prunePatch } from "./prune.ts";
import { reorderedTensors } from "./reorder.ts";
import { likenessOf } from "./similarity.ts";
import type { Site, Ways } from "./sites.ts";

/** What becomes of heads: `size` of them become one, or one in `size` stays. */
export interface HeadOptions {
  readonly what: "merge" | "prune";
  readonly size: 2 | 4;
  readonly grouping?: Grouping;
  /** Factor on merged scores: a rule, or the number itself. Default: mean. */
  readonly scale?: MergeScale | number;
}

/** With D numbers per head of the model and m heads merged: 1/(m√D), 1/√(mD) and 1/√D, in the model's own scale. */
export const mergeScales = { mean: (m: number) => 1 / m, root: (m: number) => 1 / Math.sqrt(m), sum: () => 1 } as const;
export type MergeScale = keyof typeof mergeScales;

/** What was done to one attention. */
export interface HeadChange {
  readonly site: Site;
  /** Factor on the scores from now on. */
  readonly scale: number;
  /** Heads and groups of keys of the model in their new order: place → head. Fewer where heads were pruned. */
  readonly order: HeadOrder;
  /** Heads of the model that each head consists of now. */
  readonly heads: readonly (readonly number[])[];
}

export function changeHeads(
  graph: Graph,
  sites: readonly Site[],
  options: HeadOptions,
  problems: Diagnostic[],
): { readonly changes: readonly HeadChange[]; readonly patches: readonly Patch[] } {
  if (sites.length === 0) {
    const message = "there is no attention whose heads could change";
    problems.push({
      code: "MRL0681",
      message,
      at: graph.model.file,
      help: "freeze fewer layers, or check the model with marillc inspect",
    });
  }
  const done = sites.flatMap((site) => {
    const fault = faultOf(site, options);
    if (fault === undefined) return [changeOne(graph, site, options, problems)];
    problems.push({ code: "MRL0680", at: `${graph.model.file}, node "${site.name}"`, ...fault });
    return [];
  });
  return { changes: done.map(({ change }) => change), patches: done.flatMap(({ patches }) => patches) };
}

type Fault = Pick<Diagnostic, "message" | "help">;

/** Why the heads of this attention cannot change so. */
function faultOf(site: Site, { what, size, grouping }: HeadOptions): Fault | undefined {
  const { heads, groups, core, ways } = site;
  const verb = what === "merge" ? "merged" : "pruned";
  if (groups % size !== 0) {
    const shared = groups < heads ? `${groups} groups of keys for ${heads} heads` : `${heads} heads`;
    const why = groups < heads ? ": heads that share keys would collapse into one" : "";
    return { message: `${shared} cannot be ${verb} by ${size}${why}`, help: `take a number that divides ${groups}` };
  }
  if (typeof core === "string") return { message: `its heads cannot be ${verb}: ${core}` };
  if (typeof ways === "string" && (what === "prune" || grouping === "similarity")) {
    const help = what === "merge" ? "--grouping adjacent needs no stored heads" : "merge heads instead: --merge-heads";
    return { message: `its heads were not found in stored weights: ${ways}`, help };
  }
  return undefined;
}

function changeOne(
  graph: Graph,
  site: Site,
  options: HeadOptions,
  problems: Diagnostic[],
): { readonly change: HeadChange; readonly patches: readonly Patch[] } {
  const { heads, groups } = site;
  const { what, size, grouping = "adjacent" } = options;
  const core = site.core as Core;
  const likeness = () => likenessOf(graph, site.ways as Ways, heads / groups);
  if (what === "prune") {
    const order = strongest(heads, groups, size, likeness().weights);
    const tensors = reordered(graph, site, order);
    const change = { site, scale: site.scale, order, heads: order.queries.map((head) => [head]) };
    return { change, patches: [{ ...emptyPatch, tensors }, prunePatch(graph, site, order, problems)] };
  }
  const order =
    grouping === "adjacent" ? identityOrder(heads, groups) : orderBySimilarity(heads, groups, size, likeness().scores);
  const { scale: rule = "mean" } = options;
  const scale = typeof rule === "number" ? rule : site.scale * mergeScales[rule](size);
  const tensors = grouping === "adjacent" ? new Map<string, OnnxTensor>() : reordered(graph, site, order);
  const merged = mergePatch({ site, core, size, scale, dtype: dtypeOf(graph, core) });
  return {
    change: { site, scale, order, heads: mergedHeads(order, size) },
    patches: [{ ...emptyPatch, tensors }, merged],
  };
}

function reordered(graph: Graph, site: Site, order: HeadOrder): ReadonlyMap<string, OnnxTensor> {
  const tensors = new Map(
    reorderedTensors(graph.model, site.ways as Ways, order).map((tensor) => [tensor.name, tensor]),
  );
  refuseListedWeights(graph.model, tensors.keys());
  return tensors;
}

/** Element type of queries, which is that of the weights that made them. */
function dtypeOf({ model }: Graph, { q }: Core): Dtype {
  const stated = model.graph.valueInfo.get(q.tensor)?.dtype;
  if (stated) return stated;
  const floats = [...model.graph.initializers.values()]
    .map(({ dtype }) => dtype)
    .filter((dtype) => /float/.test(dtype));
  return floats.find((dtype) => dtype === "float16" || dtype === "bfloat16") ?? floats[0] ?? "float32";
}
