import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { OptimizationTarget } from "../build/index.ts";
import type { ArchitectureOptions } from "../estimate/index.ts";
import {
  type ArchitectureName,
  architectureNames,
  architectures,
  checkHeadGroups,
  estimateCost,
  parseOwnership,
  withAdapters,
} from "../estimate/index.ts";
import { choiceProblems, type ResolvedTarget, resolveTarget } from "../load/index.ts";
import type { CostReport } from "../report/cost/index.ts";
import { readUsage } from "./errors.ts";

export { type ArchitectureName, architectureNames };

/** Counts a known architecture without weights. */
export interface ShapeCostOptions {
  /** One of `shapeNames`: `bert-base`, `gpt2`, `llama-7b`, … */
  readonly shape: ArchitectureName;
  /** `seq`: positions of the input (prefill). `context`: positions kept from earlier queries (decode). */
  readonly dims: Readonly<Record<string, number>>;
  /** The whole input at once (default), or one token with kept keys and values. */
  readonly phase?: "prefill" | "decode";
  /** Who owns the weights: `all` (default), `layers`, `lf0.5`, `lora64` or `lf0.5+lora64` are the server's. */
  readonly private?: string;
  /** Rank of private adapters on every product of the layers that `private` names; the layers themselves are public. */
  readonly lora?: number;
  /** So many heads of the layers that are not frozen share a softmax. Default: 1. */
  readonly merge?: number;
  /** Default: `2pc-dealer`. */
  readonly setting?: "2pc-dealer" | "3pc";
  /** `marill` (default), or as another system computes (docs/presets.md). */
  readonly numerics?: string;
  /** What is made least on the first link. Default: `time`. */
  readonly objective?: "time" | "online" | "total";
}

/** All that does not fit is refused at once, with what the caller found (`refused`). */
export function shapeCost(
  options: ShapeCostOptions,
  links: readonly LinkProfile[],
  refused: readonly Diagnostic[] = [],
): CostReport & { readonly chosenFor: OptimizationTarget } {
  const { shape: name, dims, phase = "prefill", numerics = "marill", objective: wanted } = options;
  const choice = wanted === undefined ? {} : { objective: wanted };
  const target = resolveTarget({
    ...choice,
    preset: numerics,
    ...(options.setting !== undefined && { setting: options.setting }),
    ...(links[0] && { link: links[0] }),
  });
  throwIfAny([
    ...refusedShape(name),
    ...refused,
    ...(isShape(name) ? refusedPhase(name, phase, dims) : []),
    ...refusedNumerics(numerics, target, phase),
    ...choiceProblems({ model: name, target: choice }),
  ]);
  const { setting, link, objective, preset } = target;
  const { report } = estimateCost(name, {
    sequenceLength: dims.seq ?? 1,
    phase,
    ...(dims.context !== undefined && { contextLength: dims.context }),
    ...techniquesOf(options),
    select: { setting, link, objective },
    ...(preset && { preset }),
    links,
  });
  return { ...report, chosenFor: { link, objective } };
}

const isShape = (name: string): name is ArchitectureName => (architectureNames as readonly string[]).includes(name);

/** Who owns the weights, and how the model was changed before. */
function techniquesOf({ shape, private: owners = "all", lora, merge = 1 }: ShapeCostOptions) {
  return readUsage((): Pick<ArchitectureOptions, "ownership" | "mergedHeads"> => {
    checkHeadGroups(architectures[shape], merge);
    const ownership = parseOwnership(owners);
    return { ownership: lora === undefined ? ownership : withAdapters(ownership, lora), mergedHeads: merge };
  });
}

const refusedShape = (name: string): readonly Diagnostic[] =>
  isShape(name)
    ? []
    : [
        {
          code: "MRL0830",
          message: `no architecture is known as ${name}`,
          help: `known: ${architectureNames.join(", ")}`,
        },
      ];

/** A preset counts what `compile` would make of it: in its settings, and it keeps no keys and values. */
function refusedNumerics(numerics: string, { preset, setting }: ResolvedTarget, phase: string): readonly Diagnostic[] {
  if (numerics === "marill" || (preset?.settings.includes(setting) && phase !== "decode")) return [];
  const help = preset
    ? `${numerics} counts --phase prefill, --setting ${preset.settings.join(" or ")}`
    : `known: marill, ${[...presets.keys()].join(", ")}`;
  return [{ code: "MRL0834", message: `--numerics ${numerics} does not go with these options`, help }];
}

function refusedPhase(
  name: ArchitectureName,
  phase: string,
  dims: Readonly<Record<string, number>>,
): readonly Diagnostic[] {
  const wanted: Readonly<Record<string, readonly string[]>> = { prefill: ["seq"], decode: ["context"] };
  const needed = wanted[phase];
  if (!needed || (phase === "decode" && !architectures[name].causal)) {
    const message = needed ? `${name} does not generate: it has no phase decode` : `there is no phase ${phase}`;
    return [{ code: "MRL0832", message, help: "--phase prefill, or decode for models that generate" }];
  }
  const missing = needed.filter((dim) => dims[dim] === undefined);
  const unknown = Object.keys(dims).filter((dim) => !["seq", "context"].includes(dim));
  return [
    ...missing.map((dim) => ({
      code: "MRL0833",
      message: `phase ${phase} needs the size of ${dim}`,
      help: `--dim ${dim}=128`,
    })),
    ...unknown.map((dim) => ({ code: "MRL0833", message: `shapes have no dimension ${dim}`, help: "seq and context" })),
  ];
}
