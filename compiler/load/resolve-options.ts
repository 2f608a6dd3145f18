import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { CompileOptions, InterfaceOptions, ResolvedInterface, ResolvedOptions } from "./compile-options.ts";
import { adapterProblems, choiceProblems, presetProblems, rangeProblems } from "./option-problems.ts";
import { resolveTarget } from "./resolve-target.ts";

/** Magnitudes with a private adapter exceed those of its base: twice two, measured on the fixture as 2.6. */
const defaultRangeMargin = 4;

/** The options with defaults, and their problems. */
export function resolveOptions(options: CompileOptions): {
  readonly resolved: ResolvedOptions;
  readonly problems: readonly Diagnostic[];
} {
  const { model, name, weights = {}, calibration = {} } = options;
  return {
    resolved: {
      model,
      ...(name !== undefined && { name }),
      weights,
      interface: resolveInterface(options.interface),
      target: resolveTarget(options.target),
      calibration: { ...calibration, margin: calibration.margin ?? defaultRangeMargin },
    },
    problems: [choiceProblems, presetProblems, adapterProblems, rangeProblems].flatMap((find) => find(options)),
  };
}

/** The options with defaults. @throws DiagnosticError with all problems of the options. */
export function requireOptions(options: CompileOptions): ResolvedOptions {
  const { resolved, problems } = resolveOptions(options);
  throwIfAny(problems);
  return resolved;
}

const toMap = <T>(record: Readonly<Record<string, T>> = {}): ReadonlyMap<string, T> => new Map(Object.entries(record));

const resolveInterface = (options: InterfaceOptions = {}): ResolvedInterface => ({
  ...(options.head !== undefined && { head: options.head }),
  owners: toMap(options.owners),
  reveal: options.reveal ?? [],
  dims: toMap(options.dims),
  constants: toMap(options.constants),
  buckets: options.buckets ?? [],
});
