import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { ShapeCostOptions } from "../api/index.ts";
import { given } from "../api/index.ts";
import type { ParsedOptions } from "./command.ts";
import { readCount, readDims } from "./option-values.ts";

/** Options that are said of a model file. */
const modelOnlyOptions = ["base", "adapter", "calibrate", "head", "truncation"] as const;

/** `cost --shape`: counts a known architecture without weights. All that does not fit is refused at once. */
export function shapeOptionsOf(shape: string, options: ParsedOptions): ShapeCostOptions {
  return given({
    shape,
    dims: readDims(options, 1),
    phase: options.text("phase"),
    private: options.list("private")[0],
    lora: readCount(options, "lora"),
    merge: readCount(options, "merge"),
    setting: options.text("setting"),
    numerics: options.text("numerics"),
    objective: options.text("objective"),
  }) as ShapeCostOptions;
}

/** Options of a model file, which do not go with a shape. */
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
    message: `--shape counts without a model, and ${what} does not go with it`,
    help: "leave one of them out: see marillc cost --help",
  }));
}
