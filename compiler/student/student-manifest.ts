import { version } from "../build/index.ts";
import type { LoraLayer } from "./add-lora.ts";
import type { HeadChange, HeadOptions } from "./change-heads.ts";
import type { FrozenLayers } from "./freeze.ts";
import { layerIndex, type ModelGraph } from "./model-graph.ts";
import type { ModelPatch } from "./model-patch.ts";
import type { StudentOptions } from "./student-options.ts";

/** The changes of a rewrite: enough to build the same student in a training framework, and to train it. */
export interface StudentManifest {
  readonly schema: 1;
  readonly compiler: string;
  /** SHA-256 of the source model. */
  readonly source: string;
  /** Whether the student computes what its source does; false: it must be tuned. */
  readonly sameFunction: boolean;
  readonly layers: { readonly frozen: number; readonly of: number };
  /** Every weight by its name in the file, with its parameter in the training framework. */
  readonly weights: readonly {
    readonly name: string;
    readonly parameter: string;
    readonly shape: readonly number[];
    readonly trained: boolean;
    /** reordered, resized or new; absent: as in the source. */
    readonly change?: "reordered" | "resized" | "new";
  }[];
  readonly heads?: {
    readonly what: HeadOptions["what"];
    readonly size: number;
    readonly grouping?: string;
    readonly attention: readonly {
      readonly node: string;
      readonly layer?: number;
      /** Heads of the source in each new head. */
      readonly heads: readonly (readonly number[])[];
      /** Order of whole heads in the stored weights: new index → head of the source. */
      readonly order: { readonly queries: readonly number[]; readonly keys: readonly number[] };
      readonly depth: { readonly was: number; readonly is: number };
      readonly scale: { readonly was: number; readonly is: number };
    }[];
  };
  readonly lora?: {
    readonly rank: number;
    readonly alpha: number;
    readonly frozenA: boolean;
    readonly modules: readonly string[];
  };
}

interface StudentParts {
  readonly graph: ModelGraph;
  readonly options: StudentOptions;
  readonly source: string;
  readonly patch: ModelPatch;
  readonly frozen: FrozenLayers;
  readonly changes: readonly HeadChange[];
  readonly layers: readonly LoraLayer[];
}

export function studentManifest({
  graph,
  options,
  source,
  patch,
  frozen,
  changes,
  layers,
}: StudentParts): StudentManifest {
  const { heads, lora } = options;
  const behind = new Set(
    graph.unfused.catalog.names.linears
      .filter((each) => layerIndex(each.module ?? "") === undefined)
      .map((each) => each.weight),
  );
  const own = [...graph.unfused.catalog.weights.values()].map(({ source: { name, dims }, recovered }) => {
    const changed = patch.tensors.get(name);
    const parameter = recovered?.name ?? name;
    // Beside low-rank changes, only whole layers after the last are trained: a classifier.
    const trained = !frozen.weights.has(name) && (!lora || behind.has(name) || isBiasOf(name, behind, graph));
    const resized = changed && changed.dims.join() !== dims.join();
    const change = changed ? ({ change: resized ? "resized" : "reordered" } as const) : {};
    return { name, parameter, shape: changed?.dims ?? dims, trained, ...change };
  });
  const added = layers.flatMap(({ module, a, b }) =>
    [a, b].map((name) => {
      const trained = name === b || lora?.freezeA !== true;
      const parameter = `${module}.${name === a ? "lora_A" : "lora_B"}.weight`;
      return { name, parameter, shape: patch.tensors.get(name)!.dims, trained, change: "new" as const };
    }),
  );
  return {
    schema: 1,
    compiler: version,
    source,
    sameFunction: changes.length === 0,
    layers: { frozen: frozen.count, of: frozen.total },
    weights: [...own, ...added],
    ...(heads && { heads: headsOf(heads, changes) }),
    ...(lora && {
      lora: { rank: lora.rank, alpha: lora.alpha, frozenA: lora.freezeA, modules: layers.map(({ module }) => module) },
    }),
  };
}

function headsOf({ what, size, grouping = "adjacent" }: HeadOptions, changes: readonly HeadChange[]) {
  return {
    what,
    size,
    ...(what === "merge" && { grouping }),
    attention: changes.map(({ site, scale, headOrder, mergedFrom }) => ({
      node: site.name,
      ...(site.layer !== undefined && { layer: site.layer }),
      heads: mergedFrom,
      order: { queries: headOrder.queries, keys: headOrder.keys },
      depth: { was: site.depth, is: site.depth * mergedFrom[0]!.length },
      scale: { was: site.scale, is: scale },
    })),
  };
}

/** A bias is trained with its matrix. */
function isBiasOf(name: string, matrices: ReadonlySet<string>, graph: ModelGraph): boolean {
  const { weights } = graph.unfused.catalog;
  const module = (weight: string): string => (weights.get(weight)?.name ?? weight).replace(/\.(weight|bias)$/, "");
  const own = weights.get(name)?.name ?? name;
  return own.endsWith(".bias") && [...matrices].some((matrix) => module(matrix) === module(name));
}
