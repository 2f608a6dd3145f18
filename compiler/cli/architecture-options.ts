import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import type { Setting } from "../../runtime/protocols/kit/index.ts";
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
import { resolveOptions } from "../load/index.ts";
import type { CostReport } from "../report/cost/index.ts";
import type { ParsedOptions } from "./command.ts";
import { orUsageError, readCount, readDims } from "./option-values.ts";

const isArchitectureConstant = (name: string): name is ArchitectureName =>
  (architectureNames as readonly string[]).includes(name);

/** Options that are said of a model file. */
const modelOnlyOptions = ["base", "adapter", "calibrate", "head", "truncation"] as const;

/** `cost --shape`: counts a known architecture without weights. All that does not fit is refused at once. */
export function architectureCost(
  name: string,
  path: string | undefined,
  options: ParsedOptions,
  links: readonly LinkProfile[],
): CostReport & { readonly chosenFor: OptimizationTarget } {
  const dims = readDims(options, 1);
  const phase = options.text("phase") ?? "prefill";
  const setting = options.text("setting") === "3pc" ? "3pc" : "2pc-dealer";
  const presetName = options.text("numerics") ?? "marill";
  const objectiveText = options.text("objective");
  const { settled: resolved, problems } = resolveOptions({
    model: name,
    ...(objectiveText !== undefined && { objective: objectiveText }),
  });
  throwIfAny([
    ...refuseArchitecture(name),
    ...refuseModelOptions(path, options),
    ...(isArchitectureConstant(name) ? refusePhase(name, phase, dims) : []),
    ...refusePreset(presetName, setting, phase),
    ...problems,
  ]);
  const { link, objective } = { ...resolved, ...(links[0] && { link: links[0] }) };
  const preset = presets.get(presetName);
  const { report } = estimateCost(name as ArchitectureName, {
    sequenceLength: dims.seq ?? 1,
    phase: phase as "prefill" | "decode",
    ...(dims.context !== undefined && { contextLength: dims.context }),
    ...readOwnership(name as ArchitectureName, options),
    select: { setting, link, objective },
    ...(preset && { preset }),
    links,
  });
  return { ...report, chosenFor: { link, objective } };
}

/** Who owns the weights, and how the model was changed before. */
function readOwnership(
  name: ArchitectureName,
  options: ParsedOptions,
): Pick<ArchitectureOptions, "ownership" | "mergedHeads"> {
  const [owners = "all"] = options.list("private");
  const rank = options.text("lora") === undefined ? undefined : readCount(options, "lora", 1);
  const merge = readCount(options, "merge", 1);
  return orUsageError((): Pick<ArchitectureOptions, "ownership" | "mergedHeads"> => {
    checkHeadGroups(architectures[name], merge);
    const ownership = parseOwnership(owners);
    return { ownership: rank === undefined ? ownership : withAdapters(ownership, rank), mergedHeads: merge };
  });
}

const refuseArchitecture = (name: string): readonly Diagnostic[] =>
  isArchitectureConstant(name)
    ? []
    : [
        {
          code: "MRL0830",
          message: `no architecture is known as ${name}`,
          help: `known: ${architectureNames.join(", ")}`,
        },
      ];

function refuseModelOptions(path: string | undefined, options: ParsedOptions): readonly Diagnostic[] {
  const given = [
    ...(path === undefined ? [] : [path]),
    ...modelOnlyOptions.filter((option) => options.text(option) !== undefined).map((option) => `--${option}`),
    ...(["input", "reveal", "fix"] as const)
      .filter((option) => options.list(option).length > 0)
      .map((option) => `--${option}`),
    ...(options.list("private").length > 1 ? ["a second --private"] : []),
    ...(["2pc-dealer", "3pc", undefined].includes(options.text("setting"))
      ? []
      : [`--setting ${options.text("setting")}`]),
  ];
  return given.map((what) => ({
    code: "MRL0831",
    message: `--shape counts without a model, and ${what} does not go with it`,
    help: "leave one of them out: see marillc cost --help",
  }));
}

/** A preset counts what `compile` would make of it: in its settings, and it keeps no keys and values. */
function refusePreset(presetName: string, setting: Setting, phase: string): readonly Diagnostic[] {
  const preset = presets.get(presetName);
  if (presetName === "marill" || (preset?.settings.includes(setting) && phase !== "decode")) return [];
  const help = preset
    ? `${presetName} counts --phase prefill, --setting ${preset.settings.join(" or ")}`
    : `known: marill, ${[...presets.keys()].join(", ")}`;
  return [{ code: "MRL0834", message: `--numerics ${presetName} does not go with these options`, help }];
}

function refusePhase(
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
