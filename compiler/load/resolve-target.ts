import { presets } from "../../passes/3-approximate/index.ts";
import { defaultQuality, precisionsOf, type Quality, qualities } from "../../passes/4-quantize/index.ts";
import type { Objective } from "../../passes/5-select/index.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";
import type { ResolvedTarget, TargetOptions } from "./compile-options.ts";

export const objectives: readonly Objective[] = ["time", "online", "total"];
export const qualityNames = Object.keys(qualities) as readonly Quality[];

/** Bits by which a guarded value may exceed its bounds and is still told for certain: 256 times the bounds. */
const guardHeadroom = 8;

/**
 * The target with every default: what the cost of an architecture needs of the options. A value that is not implemented
 * gets the default here; `choiceProblems` reports it.
 */
export function resolveTarget(options: TargetOptions = {}): ResolvedTarget {
  const preset = presets.get(options.preset ?? "");
  const quality = qualityNames.find((name) => name === options.quality) ?? defaultQuality;
  const precisions = preset
    ? [{ ...preset.precision, ...options.precision }]
    : precisionsOf(quality, options.precision);
  return {
    setting: options.setting === "3pc" ? "3pc" : "2pc-dealer",
    link: options.link ?? linkProfiles.wan,
    objective: objectives.find((objective) => objective === options.objective) ?? "time",
    truncation: preset?.truncation ?? (options.truncation === "exact" ? "exact" : "fast"),
    preset,
    guard: options.guard && { layers: options.guard, headroom: guardHeadroom },
    quality,
    precisions,
    precision: precisions[0]!,
  };
}
