import { basename } from "node:path";
import isEqual from "lodash-es/isEqual.js";
import sortedUniq from "lodash-es/sortedUniq.js";
import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import type { Module, Stage, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { print } from "../../ir/text/print.ts";
import type { Preset } from "../../passes/3-approximate/index.ts";
import { type Calibration, precisionsOf, type WrapEstimate, withCachedRanges } from "../../passes/4-quantize/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import { declaredErrors, isUseful, publishedErrors, type TriedProgram, wouldVerify } from "../accuracy/index.ts";
import { checkFlow } from "../audit/index.ts";
import type { Manifest } from "../build/index.ts";
import { type ClientDecodeGraphs, type DecodeProgram, exportClientDecodeGraphs, planDecode } from "../decode/index.ts";
import { type ImportMode, type LoadedModel, loadModel, type ResolvedOptions } from "../load/index.ts";
import { adapterWeights } from "./adapter-choices.ts";
import { advisingOptions, optionsThatFit, optionsThatHelp, type Tries } from "./advise-options.ts";
import { buildFiles } from "./build-files.ts";
import { readSamples, type Sample } from "./calibration-samples.ts";
import { choosePrecision } from "./choose-precision.ts";
import { type DrawnOutput, drawnOutputs } from "./drawn-outputs.ts";
import { explainingOwnership } from "./explain-ownership.ts";
import { featureExponents } from "./feature-exponents.ts";
import { type FileRuns, fileRuns } from "./file-runs.ts";
import { measureRanges } from "./measure-ranges.ts";
import { rangesText } from "./ranges-file.ts";
import { type ReferenceRun, referenceRuns } from "./reference-runs.ts";
import { scalerWeights } from "./scaler-weights.ts";
import { type ScheduledModule, scheduleModule } from "./schedule-module.ts";
import { type SecurePart, splitSecurePart } from "./split-secure-part.ts";

export interface Compilation {
  readonly manifest: Manifest;
  /** The scheduled secure module. */
  readonly module: Module;
  readonly plan: ProgramPlan;
  readonly quality: ResolvedOptions["target"]["quality"];
  /** Outputs of the model that no reveal names: they are not computed. */
  readonly omittedOutputs: readonly string[];
  /** For a causal model of text: the program that decodes one position, or the reason why there is none. */
  readonly decode?: DecodeProgram | Diagnostic;
  /** The client's own layers position by position, or the reason why it computes them over the full context. */
  readonly clientDecode?: ClientDecodeGraphs | Diagnostic;
  /** Whether `--quality precise` without bits by hand compiles and has answers of use; false where this is that. */
  readonly finerIsUseful: () => boolean;
  /** Options that bring features to one size or undo bits by hand, where those compile and have answers of use. */
  readonly otherOptions: () => readonly string[];
  /** The same for options with which values that left their rings stay in them. */
  readonly fittingOptions: () => readonly string[];
  /**
   * Where inputs are drawn within their bounds, because there are no samples: the program on them beside float64, by
   * output. Empty where it leaves its ranges on such inputs, as bounds of inner values in a file may ask.
   */
  readonly drawnOutputs: () => readonly DrawnOutput[];
  /** The first calibration samples, at most `limit`, with the model's answers in float64. */
  readonly referenceRuns: (limit: number) => readonly ReferenceRun[];
  /** The same answers of the model's file alone, to compare with those of ONNX Runtime. */
  readonly fileRuns: (runs: readonly ReferenceRun[]) => FileRuns;
  /** How likely a query wraps with the private weights: for the provider alone, no build contains it. */
  readonly wrap?: WrapEstimate;
  /** The bounds of every shared value, as `--ranges` reads them. */
  readonly ranges: string;
  /** The module after each pass. */
  readonly stages: ReadonlyMap<Stage, Module>;
  /** Contents of the build directory: relative path → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Compiles a model into a build directory in memory: the whole pipeline, stage by stage. `marillc inspect --stage` shows
 * the module after each stage.
 * @throws DiagnosticError with all problems of the first stage that finds any
 */
export function compileModel(options: ResolvedOptions, how: CompileMode = {}): Compilation {
  const loaded = loadScaled(options, how);
  const isLoaded = ({ weights, calibration }: ResolvedOptions): boolean =>
    weights === options.weights && calibration.scaleFeatures === options.calibration.scaleFeatures;
  const works = (tried: ResolvedOptions): boolean =>
    isCompiled(() => {
      const model = isLoaded(tried) ? loaded : loadScaled(tried, how);
      const { compilation, tries: program } = compileLoaded(model, tried, { ...how, declare: false });
      return (how.isVerified?.(compilation) === true ? wouldVerify : isUseful)(program());
    });
  const tries: Tries = { options, scalers: () => scalerWeights(loaded), works };
  return advisingOptions(tries, () => {
    const { compilation } = explainingOwnership(loaded, () => compileLoaded(loaded, options, how));
    return {
      ...compilation,
      finerIsUseful: () => !isPrecise(options) && works(withPrecision(options)),
      otherOptions: () => optionsThatHelp(tries),
      fittingOptions: () => optionsThatFit(tries),
    };
  });
}

/** The model, with features of one size where the options say so. */
function loadScaled(options: ResolvedOptions, how: CompileMode): LoadedModel {
  const loaded = loadModel(options, how);
  if (options.calibration.scaleFeatures !== true) return loaded;
  const scales = featureExponents(loaded, readCalibrationSamples(loaded, options), options);
  return loadModel(options, { ...how, scales });
}

/** Whether a compilation that is only tried succeeds. */
function isCompiled(attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof DiagnosticError) return false;
    throw error;
  }
}

const precise = precisionsOf("precise");
const isPrecise = ({ target: { precisions } }: ResolvedOptions): boolean => isEqual(precisions, precise);
const withPrecision = (options: ResolvedOptions): ResolvedOptions => ({
  ...options,
  target: { ...options.target, quality: "precise", precisions: precise, precision: precise[0]! },
});

interface Compiled {
  readonly compilation: Omit<Compilation, "finerIsUseful" | "otherOptions" | "fittingOptions">;
  /** The program on the first calibration inputs, with the private weights. */
  readonly tries: () => TriedProgram;
}

/** Inputs on which options that are only tried must have answers of use. */
const triedRuns = 4;

interface CompileMode extends Pick<ImportMode, "fuse"> {
  /** Whether the manifest declares the errors of outputs, for which the interpreter runs about ten times. */
  readonly declare?: boolean;
  /** Whether a build will be verified: then so are options before they are told. */
  readonly isVerified?: (compilation: Pick<Compilation, "module" | "manifest">) => boolean;
}

function compileLoaded(loaded: LoadedModel, given: ResolvedOptions, { declare = false }: CompileMode): Compiled {
  const secure = splitSecurePart(loaded, given);
  const samples = readCalibrationSamples(loaded, given);
  const found = measureRanges(loaded, secure, samples, given);
  const { calibration, wrap, runs, published } = found;
  const target = { ...given.target, precision: choosePrecision(secure.private, calibration, given.target) };
  const options: ResolvedOptions = { ...given, target };
  const choices = adapterWeights(loaded, secure, samples, options);
  const passes = scheduleModule(secure.private, calibration, target);
  const state = { ...passes.scheduled, module: { ...passes.scheduled.module, name: programNameOf(options) } };
  const decoding = planDecoding(loaded, secure.private, state.module, calibration, options);
  const clientDecode =
    decoding.program && exportClientDecodeGraphs(loaded, passes.scheduled.client, decoding.program.contextLength);
  const plan = decoding.plan ?? planProgram(state.module, target.setting);
  const { weights } = secure.public;
  const publicRuns = { weights, inputs: found.publicInputs, untrained: loaded.surrogate.initial.length > 0 };
  // Where the provider publishes bounds of its weights, it publishes errors alike.
  const publishes = (published ?? []).length > 0;
  const privateRuns = (limit: number) => {
    const inputs = found.privateInputs.slice(0, limit);
    return {
      revealed: state.module.outputs.filter(
        (id) => id !== state.guard?.value && state.module.values[id]!.type.label !== "shared",
      ),
      weights: secure.private.weights,
      inputs,
      exact:
        samples.length > 0
          ? referenceRuns(loaded, samples, limit).map(({ outputs }) => byRevealed(state, outputs))
          : inputs.map((run) => interpret(secure.private.module, secure.private.weights, run)),
    };
  };
  const tries = (): TriedProgram => ({
    module: state.module,
    declares: !target.preset,
    ...privateRuns(triedRuns),
  });
  // The approximations of a preset are no part of what the interpreter compares with.
  const declares = declare && !target.preset;
  const ofPrivate =
    declares && publishes ? publishedErrors(state.module, privateRuns(found.privateInputs.length)) : undefined;
  const ofPublic = declares && !publishes ? declaredErrors(state.module, publicRuns) : undefined;
  const { manifest, files } = buildFiles({
    loaded,
    options,
    state,
    plan,
    ...(decoding.program && { decode: decoding.program }),
    ...(clientDecode && "files" in clientDecode && { clientDecode }),
    mir: print(state.module),
    choices,
    runs,
    published: [...(published ?? []), ...(ofPrivate?.published ?? [])],
    declared: ofPrivate ?? ofPublic ?? { errors: new Map(), decisions: [] },
    ...(wrap?.public && { wrap: wrap.public }),
  });
  auditFiles(files);
  const decode = decoding.program ?? decoding.reason;
  const compilation: Omit<Compilation, "finerIsUseful" | "otherOptions" | "fittingOptions"> = {
    manifest,
    module: state.module,
    plan,
    quality: target.quality,
    omittedOutputs: loaded.omittedOutputs,
    ...(decode && { decode }),
    ...(clientDecode && { clientDecode }),
    drawnOutputs: () => (samples.length > 0 || target.preset ? [] : drawnOutputs(tries(), manifest)),
    referenceRuns: (limit) => referenceRuns(loaded, samples, limit),
    fileRuns: (runs) => fileRuns(loaded, options, runs),
    ...(wrap && { wrap: wrap.private }),
    ranges: rangesText(secure.public, found, manifest),
    stages: recordStages(loaded, secure, passes, state.module, target.preset),
    files,
  };
  return {
    compilation,
    tries,
  };
}

/** Outputs of the model by the values that are revealed as they are. */
const byRevealed = ({ module, sources }: SplitState, outputs: ReferenceRun["outputs"]): ReadonlyMap<ValueId, Tensor> =>
  new Map(
    module.outputs.flatMap((id) => {
      const tensor = outputs.get(sources.get(id) ?? id);
      return tensor ? [[id, tensor] as const] : [];
    }),
  );

function readCalibrationSamples({ imported }: LoadedModel, options: ResolvedOptions): readonly Sample[] {
  const { samples } = options.calibration;
  return samples ? readSamples(samples, options.model, imported.inputs, imported.module) : [];
}

interface Decoding {
  /** The program of the full context, planned so that it keeps what decoding needs. */
  readonly plan?: ProgramPlan;
  readonly program?: DecodeProgram;
  /** Why there is no program. */
  readonly reason?: Diagnostic;
}

/** A preset has no decode program: its publication is about whole sequences. */
function planDecoding(
  { imported }: LoadedModel,
  state: SplitState,
  module: Module,
  calibration: Calibration,
  { target, interface: { buckets } }: ResolvedOptions,
): Decoding {
  if (target.preset) return {};
  const planned = planDecode({
    imported,
    state,
    module,
    setting: target.setting,
    buckets: sortedUniq([...buckets].sort((a, b) => a - b)),
    schedule: (chunk, cached) => scheduleModule(chunk, withCachedRanges(calibration, cached), target).scheduled,
  });
  if (!planned) return {};
  return "plan" in planned ? { plan: planned.plan, program: planned.next } : { reason: planned };
}

/** Reads the files again without the compiler's own data: they must open nothing but the declared outputs. */
function auditFiles(files: ReadonlyMap<string, Uint8Array>): void {
  throwIfAny(checkFlow(files).findings);
}

function recordStages(
  { imported }: LoadedModel,
  secure: SecurePart,
  { quantized, selected }: ScheduledModule,
  scheduled: Module,
  preset: Preset | undefined,
): ReadonlyMap<Stage, Module> {
  return new Map<Stage, Module>([
    ["import", imported.module],
    ["split", secure.split],
    ["rewrite", secure.rewritten],
    ...(preset ? ([["approximate", secure.private.module]] as const) : []),
    ["quantize", quantized.module],
    ["select", selected.module],
    ["schedule", scheduled],
  ]);
}

/** The name of the program: the option, or the file's name. At most 64 letters, digits, dots, dashes and underscores. */
function programNameOf({ name, model }: ResolvedOptions): string {
  const given = name ?? basename(model).replace(/\.onnx$/, "");
  return given.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || "model";
}
