import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import type {
  CalibrationOptions,
  CompileOptions,
  InterfaceOptions,
  RangeRoom,
  ResolvedCalibration,
  ResolvedInterface,
  ResolvedOptions,
} from "./compile-options.ts";
import { adapterProblems, choiceProblems, presetProblems, rangeProblems } from "./option-problems.ts";
import { resolveTarget } from "./resolve-target.ts";

/**
 * How far private weights may carry values beyond what is measured without them. Those tuned from a public base exceed
 * its magnitudes: twice two, measured on the fixture as 2.6. Trained ones exceed those of initial values by 10 to 50 on
 * the networks of fixtures/cases, wherever these start, and the inputs stay as they are. Private weights themselves
 * need room for queries only. Formulas of a preset square their factor, and have one ring for all values.
 */
const roomBeyond = {
  base: { margin: 4, inputMargin: 4, floor: 1 },
  published: { margin: 2, inputMargin: 4, floor: 1 },
  initial: { margin: 64, inputMargin: 4, floor: 64 },
  initialOfFormulas: { margin: 16, inputMargin: 4, floor: 1 },
} as const;

function roomOf({ weights = {}, calibration = {}, target }: CompileOptions): RangeRoom {
  if (calibration.publish === true) return roomBeyond.published;
  if (weights.base !== undefined || weights.adapter !== undefined) return roomBeyond.base;
  const { rewrites = {} } = resolveTarget(target).preset ?? {};
  return roomBeyond[Object.keys(rewrites).length > 0 ? "initialOfFormulas" : "initial"];
}

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
      calibration: resolveCalibration(calibration, roomOf(options)),
    },
    problems: [choiceProblems, presetProblems, adapterProblems, rangeProblems].flatMap((find) => find(options)),
  };
}

/** Values of options that do not exist, or do not go together: wrong usage, whatever the files hold. */
export class OptionError extends DiagnosticError {
  override readonly name = "OptionError";
}

/** The options with defaults. @throws OptionError with all problems of the options. */
export function requireOptions(options: CompileOptions): ResolvedOptions {
  const { resolved, problems } = resolveOptions(options);
  if (problems.length > 0) throw new OptionError(problems);
  return resolved;
}

/** A margin that the user gives is that of inputs too, up to 16: a larger one is for private weights. */
export const inputMarginOf = (margin: number): number => Math.min(margin, 16);

const resolveCalibration = (given: CalibrationOptions, room: RangeRoom): ResolvedCalibration => ({
  ...given,
  ...room,
  ...(given.margin !== undefined && {
    margin: given.margin,
    inputMargin: inputMarginOf(given.margin),
    chosen: true as const,
  }),
});

/** The same with ranges that are measured with private weights, as the option would set it. */
export const withPublication = (options: ResolvedOptions): ResolvedOptions => ({
  ...options,
  calibration: {
    ...options.calibration,
    publish: true,
    ...(options.calibration.chosen === true ? {} : roomBeyond.published),
  },
});

const toMap = <T>(record: Readonly<Record<string, T>> = {}): ReadonlyMap<string, T> => new Map(Object.entries(record));

const resolveInterface = (options: InterfaceOptions = {}): ResolvedInterface => ({
  ...(options.head !== undefined && { head: options.head }),
  owners: toMap(options.owners),
  makers: toMap(options.makers),
  reveal: options.reveal ?? [],
  dims: toMap(options.dims),
  constants: toMap(options.constants),
  buckets: options.buckets ?? [],
});
