import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { OptimizationTarget } from "../build/index.ts";
import {
  type ArchitectureName,
  type ArchitectureOptions,
  architectureNames,
  architectures,
  checkHeadGroups,
  estimateCost,
  parseOwnership,
  withAdapters,
} from "../estimate/index.ts";
import { choiceProblems, OptionError, type ResolvedTarget, resolveTarget } from "../load/index.ts";
import type { CostReport } from "../report/cost/index.ts";
import { readUsage } from "./errors.ts";
import { type Fields, integer, recordOf, required, text } from "./fields.ts";
import { given } from "./values.ts";

export { type ArchitectureName, architectureNames };

/** Counts a known architecture without weights. */
export interface ArchitectureCostOptions {
  /** One of `architectureNames`: `bert-base`, `gpt2`, `llama-7b`, … */
  readonly architecture: ArchitectureName;
  /** `seq`: sequence length of the input (prefill). `context`: cached positions of earlier queries (decode). */
  readonly dims: Readonly<Record<string, number>>;
  /** The whole input at once (default), or one token with cached keys and values. */
  readonly phase?: "prefill" | "decode";
  /** Weights private to the server: `all` (default), `layers`, `lf0.5`, `lora64` or `lf0.5+lora64`. */
  readonly private?: string;
  /** Rank of private adapters on every product of the layers that `private` selects; the layers themselves become public. */
  readonly loraRank?: number;
  /** This many attention heads share one softmax in layers that are not frozen. Default: 1. */
  readonly mergeHeads?: number;
  /** Default: `2pc-dealer`. */
  readonly setting?: "2pc-dealer" | "3pc";
  /** Numerical preset: `marill` (default), or the approximations of another system (docs/presets.md). */
  readonly preset?: string;
  /** Metric to minimize on the first link: time, time after the input is known, or total bytes. Default: `time`. */
  readonly objective?: "time" | "online" | "total";
}

/** Far above any window; the count of more positions would exceed memory. */
const mostPositions = 2 ** 20;

/** What `architectureCost` checks by itself, all problems at once, is any text here. */
export const architectureFields: Fields<ArchitectureCostOptions> = {
  architecture: required(text),
  dims: required(recordOf(integer(1, mostPositions))),
  phase: text,
  private: text,
  loraRank: integer(1, 65536),
  mergeHeads: integer(1, 65536),
  setting: text,
  preset: text,
  objective: text,
};

/**
 * Counts one query of the architecture, without setup.
 * @throws DiagnosticError with all problems of the options at once, `refused` by the caller among them
 */
export function architectureCost(
  options: ArchitectureCostOptions,
  links: readonly LinkProfile[],
  refused: readonly Diagnostic[] = [],
): CostReport & { readonly chosenFor: OptimizationTarget } {
  const { architecture: name, dims, phase = "prefill", preset: presetName = "marill" } = options;
  const choice = given({ objective: options.objective });
  const target = resolveTarget({
    ...choice,
    ...given({ setting: options.setting, link: links[0] }),
    preset: presetName,
  });
  const problems = [
    ...refuseArchitecture(name),
    ...refused,
    ...(isArchitecture(name) ? refusePhase(name, phase, dims) : []),
    ...refusePreset(presetName, target, phase),
  ];
  // The command line has refused a setting beside the other options of a model.
  const wrongChoices = choiceProblems({
    model: name,
    target: refused.length > 0 ? choice : { ...choice, ...given({ setting: options.setting }) },
  });
  // A value that no option has is wrong usage, here as for a model.
  if (problems.length === 0 && wrongChoices.length > 0) throw new OptionError(wrongChoices);
  throwIfAny([...problems, ...wrongChoices]);
  const { setting, link, objective, preset } = target;
  const { report } = estimateCost(name, {
    sequenceLength: dims.seq ?? 1,
    phase,
    ...(dims.context !== undefined && { contextLength: dims.context }),
    ...readOwnership(options),
    select: { setting, link, objective },
    ...(preset && { preset }),
    links,
  });
  return { ...report, chosenFor: { link, objective } };
}

const isArchitecture = (name: string): name is ArchitectureName =>
  (architectureNames as readonly string[]).includes(name);

/** @throws UsageError for an owner, a rank or a number of heads that the architecture cannot have */
function readOwnership({ architecture, private: owners = "all", loraRank, mergeHeads = 1 }: ArchitectureCostOptions) {
  return readUsage((): Pick<ArchitectureOptions, "ownership" | "mergedHeads"> => {
    checkHeadGroups(architectures[architecture], mergeHeads);
    const ownership = parseOwnership(owners);
    return {
      ownership: loraRank === undefined ? ownership : withAdapters(ownership, loraRank),
      mergedHeads: mergeHeads,
    };
  });
}

const refuseArchitecture = (name: string): readonly Diagnostic[] =>
  isArchitecture(name)
    ? []
    : [
        {
          code: "MRL0830",
          message: `expected a known architecture, found ${name}`,
          help: `known: ${architectureNames.join(", ")}`,
        },
      ];

/** A preset counts what `compile` would make of it: only in its own settings, and without cached keys and values. */
function refusePreset(name: string, { preset, setting }: ResolvedTarget, phase: string): readonly Diagnostic[] {
  if (name === "marill" || (preset?.settings.includes(setting) && phase !== "decode")) return [];
  const help = preset
    ? `${name} supports --phase prefill and --setting ${preset.settings.join(" or ")}`
    : `known: marill, ${[...presets.keys()].join(", ")}`;
  return [{ code: "MRL0834", message: `--preset ${name} cannot be combined with these options`, help }];
}

function refusePhase(
  name: ArchitectureName,
  phase: string,
  dims: Readonly<Record<string, number>>,
): readonly Diagnostic[] {
  const wanted: Readonly<Record<string, readonly string[]>> = { prefill: ["seq"], decode: ["context"] };
  const needed = Object.hasOwn(wanted, phase) ? wanted[phase] : undefined;
  if (!needed || (phase === "decode" && !architectures[name].causal)) {
    const message = needed
      ? `${name} does not generate text: it has no phase decode`
      : `expected phase prefill or decode, found ${phase}`;
    return [
      { code: "MRL0832", message, help: "give --phase prefill, or --phase decode for models that generate text" },
    ];
  }
  const missing = needed.filter((dim) => dims[dim] === undefined);
  const unknown = Object.keys(dims).filter((dim) => !["seq", "context"].includes(dim));
  return [
    ...missing.map((dim) => ({
      code: "MRL0833",
      message: `phase ${phase} needs the size of ${dim}`,
      help: `give --dim ${dim}=128`,
    })),
    ...unknown.map((dim) => ({
      code: "MRL0833",
      message: `architectures have no dimension ${dim}`,
      help: "the dimensions are seq and context",
    })),
  ];
}
