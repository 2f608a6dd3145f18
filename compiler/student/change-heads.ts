import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { OnnxTensor } from "../onnx/format/index.ts";
import type { Dtype } from "../tensors/index.ts";
import type { AttentionCore } from "./attention-core.ts";
import type { AttentionSite, HeadTraces } from "./attention-sites.ts";
import {
  type Grouping,
  type HeadOrder,
  identityOrder,
  mergedHeads,
  orderBySimilarity,
  strongestHeads,
} from "./group-heads.ts";
import { headSimilarity } from "./head-similarity.ts";
import { mergeHeadsPatch } from "./merge-heads.ts";
import type { ModelGraph } from "./model-graph.ts";
import { emptyPatch, type ModelPatch, refuseWeightInputs } from "./model-patch.ts";
import { pruneHeadsPatch } from "./prune-heads.ts";
import { reorderHeads } from "./reorder-heads.ts";

/** Changes of heads: `size` of them merge into one, or one in `size` remains. */
export interface HeadOptions {
  readonly what: "merge" | "prune";
  readonly size: 2 | 4;
  readonly grouping?: Grouping;
  /** Factor on merged scores: a rule, or a number. Default: mean. */
  readonly scale?: MergeScale | number;
}

/** With depth D per head of the model and m heads merged: 1/(m√D), 1/√(mD) and 1/√D, in the model's own scale. */
export const mergeScales = { mean: (m: number) => 1 / m, root: (m: number) => 1 / Math.sqrt(m), sum: () => 1 } as const;
export type MergeScale = keyof typeof mergeScales;

/** The change of one attention. */
export interface HeadChange {
  readonly site: AttentionSite;
  /** Factor on the new scores. */
  readonly scale: number;
  /** Query and key heads of the model in their new order: new index → head. Shorter where heads were pruned. */
  readonly headOrder: HeadOrder;
  /** Heads of the model in each new head. */
  readonly mergedFrom: readonly (readonly number[])[];
}

export interface ChangedHeads {
  readonly changes: readonly HeadChange[];
  readonly patches: readonly ModelPatch[];
  /** MRL0680 and MRL0681, and those of pruning. */
  readonly problems: readonly Diagnostic[];
}

export function changeHeads(graph: ModelGraph, sites: readonly AttentionSite[], options: HeadOptions): ChangedHeads {
  if (sites.length === 0) {
    const message = "no attention has heads that could change";
    const help = `freeze fewer layers (--freeze 0.5), or look at them with \`marillc inspect ${graph.model.file}\``;
    return { changes: [], patches: [], problems: [{ code: "MRL0681", message, at: graph.model.file, help }] };
  }
  const changed = sites.map((site): ChangedHeads => {
    const fault = headFault(site, options);
    if (fault === undefined) return changeSite(graph, site, options);
    const at = `${graph.model.file}, node "${site.name}"`;
    return { changes: [], patches: [], problems: [{ code: "MRL0680", at, ...fault }] };
  });
  return {
    changes: changed.flatMap(({ changes }) => changes),
    patches: changed.flatMap(({ patches }) => patches),
    problems: changed.flatMap(({ problems }) => problems),
  };
}

type HeadFault = Pick<Diagnostic, "message" | "help">;

/** Why the heads of this attention cannot change in this way. */
function headFault(site: AttentionSite, { what, size, grouping }: HeadOptions): HeadFault | undefined {
  const { heads, keyHeads, core, traces } = site;
  const verb = what === "merge" ? "merged" : "pruned";
  if (keyHeads % size !== 0) {
    const shared = keyHeads < heads ? `${keyHeads} key heads for ${heads} heads` : `${heads} heads`;
    const why = keyHeads < heads ? ": heads that share keys would collapse into one" : "";
    const fits = [2, 4].filter((each) => keyHeads % each === 0);
    const help =
      fits.length > 0
        ? `give --${what}-heads ${fits.join(" or ")}`
        : `leave out --${what}-heads: ${keyHeads} heads form no groups of 2 or 4`;
    return { message: `${shared} cannot be ${verb} by ${size}${why}`, help };
  }
  if (typeof core === "string") return { message: `its heads cannot be ${verb}: ${core}` };
  if (typeof traces === "string" && (what === "prune" || grouping === "similarity")) {
    const help = what === "merge" ? "--grouping adjacent needs no stored heads" : "merge heads instead: --merge-heads";
    return { message: `its heads were not found in stored weights: ${traces}`, help };
  }
  return undefined;
}

function changeSite(graph: ModelGraph, site: AttentionSite, options: HeadOptions): ChangedHeads {
  const { heads, keyHeads } = site;
  const { what, size, grouping = "adjacent" } = options;
  const core = site.core as AttentionCore;
  const likeness = () => headSimilarity(graph, site.traces as HeadTraces, heads / keyHeads);
  if (what === "prune") {
    const order = strongestHeads(heads, keyHeads, size, likeness().weights);
    const tensors = reorderedTensorMap(graph, site, order);
    const change: HeadChange = {
      site,
      scale: site.scale,
      headOrder: order,
      mergedFrom: order.queries.map((head) => [head]),
    };
    const { patch, problems } = pruneHeadsPatch(graph, site, order);
    return { changes: [change], patches: [{ ...emptyPatch, tensors }, patch], problems };
  }
  const order =
    grouping === "adjacent"
      ? identityOrder(heads, keyHeads)
      : orderBySimilarity(heads, keyHeads, size, likeness().scores);
  const { scale: rule = "mean" } = options;
  const scale = typeof rule === "number" ? rule : site.scale * mergeScales[rule](size);
  const tensors = grouping === "adjacent" ? new Map<string, OnnxTensor>() : reorderedTensorMap(graph, site, order);
  const merged = mergeHeadsPatch({ site, core, size, scale, dtype: siteDtype(graph, core) });
  return {
    changes: [{ site, scale, headOrder: order, mergedFrom: mergedHeads(order, size) }],
    patches: [{ ...emptyPatch, tensors }, merged],
    problems: [],
  };
}

function reorderedTensorMap(graph: ModelGraph, site: AttentionSite, order: HeadOrder): ReadonlyMap<string, OnnxTensor> {
  const tensors = new Map(
    reorderHeads(graph.model, site.traces as HeadTraces, order).map((tensor) => [tensor.name, tensor]),
  );
  refuseWeightInputs(graph.model, tensors.keys());
  return tensors;
}

/** Element type of the queries, which is that of their weights. */
function siteDtype({ model }: ModelGraph, { q }: AttentionCore): Dtype {
  const stated = model.graph.valueInfo.get(q.tensor)?.dtype;
  if (stated) return stated;
  const floats = [...model.graph.initializers.values()]
    .map(({ dtype }) => dtype)
    .filter((dtype) => /float/.test(dtype));
  return floats.find((dtype) => dtype === "float16" || dtype === "bfloat16") ?? floats[0] ?? "float32";
}
