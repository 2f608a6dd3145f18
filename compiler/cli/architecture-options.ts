import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type ArchitectureCostOptions, given } from "../api/index.ts";
import type { ParsedOptions } from "./command.ts";
import { readCount, readDims } from "./option-values.ts";

/** Options of a model file. */
const modelOnlyOptions = ["base", "adapter", "calibrate", "head", "truncation"] as const;

/** The options of `cost --architecture`; `refuseModelOptions` refuses the others. */
export function architectureOptionsOf(architecture: string, options: ParsedOptions): ArchitectureCostOptions {
  return given({
    architecture,
    dims: readDims(options, 1),
    phase: options.text("phase"),
    private: options.list("private")[0],
    loraRank: readCount(options, "loraRank"),
    mergeHeads: readCount(options, "mergeHeads"),
    setting: options.text("setting"),
    preset: options.text("preset"),
    objective: options.text("objective"),
  }) as ArchitectureCostOptions;
}

/** A diagnostic for each option of a model file: none applies to an architecture without weights. */
export function refuseModelOptions(path: string | undefined, options: ParsedOptions): readonly Diagnostic[] {
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
    message: `--architecture counts without a model: ${what} does not apply`,
    help: "leave out one of the two: see marillc cost --help",
  }));
}
