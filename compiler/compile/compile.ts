import { basename } from "node:path";
import { sortedUniq } from "lodash-es";
import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module, Stage, ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import { print } from "../../ir/text/print.ts";
import { split } from "../../passes/1-split/index.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import type { Preset } from "../../passes/3-approximate/index.ts";
import { approximatePass, presets } from "../../passes/3-approximate/index.ts";
import {
  type Calibration,
  calibrate,
  checkCalibration,
  checkFinite,
  defaultPrecision,
  quantizePass,
  withCachedRanges,
} from "../../passes/4-quantize/index.ts";
import { computesOperator, selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { type ClientCut, runPass, type SplitState } from "../../passes/pass.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import { checkFlow } from "../audit/index.ts";
import type { Manifest } from "../build/index.ts";
import { type ClientDecodeGraphs, type DecodeProgram, exportClientDecodeGraphs, planDecode } from "../decode/index.ts";
import {
  type CompileOptions,
  type ImportMode,
  type LoadedModel,
  loadModel,
  type ResolvedOptions,
  resolveOptions,
} from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { buildFiles } from "./build-files.ts";
import { cutSamples, readSamples } from "./calibration-samples.ts";
import { publicWeightsFromPrivate } from "./check-public-weights.ts";

export interface Compilation {
  readonly manifest: Manifest;
  /** The scheduled secure module. */
  readonly module: Module;
  readonly plan: ProgramPlan;
  /** Outputs of the model that no reveal names: they are not computed. */
  readonly omittedOutputs: readonly string[];
  /** The program of one place, for a causal model of text; or why it has none. */
  readonly decode?: DecodeProgram | Diagnostic;
  /** Beside it the client's own layers place by place, or why it computes them over the whole window. */
  readonly clientDecode?: ClientDecodeGraphs | Diagnostic;
  /** The module after each pass. */
  readonly stages: ReadonlyMap<Stage, Module>;
  /** What the build directory holds: relative path → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The whole pipeline: what is printed after each stage is what `inspect --stage` shows. */
export function compileModel(options: CompileOptions, how: Pick<ImportMode, "fuse"> = {}): Compilation {
  const { settled: resolved, problems } = resolveOptions(options);
  throwIfAny(problems);
  const loaded = loadModel(resolved, how);
  const { imported } = loaded;
  const name = resolved.name ?? basename(resolved.model).replace(/\.onnx$/, "");
  const preset = presets.get(resolved.numerics);
  const precision = { ...(preset?.precision ?? defaultPrecision), ...resolved.precision };

  const secure = secureModules(loaded, resolved, preset);
  const samples = resolved.calibrate
    ? readSamples(resolved.calibrate, resolved.model, imported.inputs, imported.module)
    : [];
  const { client, module: publicModule } = secure.public;
  const surrogateModel = { module: imported.module, weights: loaded.surrogate.weights };
  const cutSampleValues = cutSamples(surrogateModel, publicModule, client.cuts, valueOfCut(imported), samples);
  throwIfAny(checkFinite(secure.private, cutSampleValues));
  // Ranges end up in public ring widths: they are measured with public weights on public inputs only.
  const calibration = calibrate(secure.public, cutSampleValues, {
    margin: resolved.margin,
    precision,
    expanded: preset !== undefined && Object.keys(preset.rewrites).length > 0,
  });
  // For the provider alone: does the true model stay within the public bounds on the same inputs?
  throwIfAny(checkCalibration(secure.private, cutSampleValues, calibration));

  const { setting, truncation, link, objective } = resolved;
  const protocolLimits = preset && {
    families: preset.families,
    ...(preset.ring !== undefined && { ring: preset.ring }),
    ...(preset.truncations && { truncations: preset.truncations }),
  };
  const finish = (state: SplitState, bounds: Calibration) => {
    const quantized = runPass(quantizePass({ calibration: bounds, precision, truncation }), state);
    const selected = runPass(selectPass({ setting, truncation, link, objective, ...protocolLimits }), quantized);
    return { quantized, selected, scheduled: runPass(schedulePass, selected) };
  };
  const { quantized, selected, scheduled } = finish(secure.private, calibration);
  const module = { ...scheduled.module, name: sanitizeProgramName(name) };
  // What a preset is about is published for whole windows.
  const buckets = sortedUniq([...(resolved.buckets ?? [])].sort((a, b) => a - b));
  const found = preset
    ? undefined
    : planDecode({
        imported,
        state: secure.private,
        module,
        setting,
        buckets,
        schedule: (state, kept) => finish(state, withCachedRanges(calibration, kept)).scheduled,
      });
  const planned = found && "plan" in found ? found : undefined;
  const decode = found && "plan" in found ? found.next : found;
  const clientDecode = planned && exportClientDecodeGraphs(loaded, scheduled.client, planned.next.contextLength);
  const plan = planned?.plan ?? planProgram(module, setting);
  const stages = new Map<Stage, Module>([
    ["import", imported.module],
    ["split", secure.split],
    ["rewrite", secure.rewritten],
    ...(preset ? ([["approximate", secure.private.module]] as const) : []),
    ["quantize", quantized.module],
    ["select", selected.module],
    ["schedule", module],
  ]);
  const { manifest, files } = buildFiles({
    loaded,
    options: resolved,
    state: { ...scheduled, module },
    plan,
    ...(planned && { decode: planned.next }),
    ...(clientDecode && "files" in clientDecode && { clientDecode }),
    mir: print(module),
    sampleCount: samples.length,
  });
  // What is written was read again, without the compiler's own data: nothing but the declared outputs is opened.
  throwIfAny(checkFlow(files).findings);
  return {
    manifest,
    module,
    plan,
    omittedOutputs: loaded.omittedOutputs,
    ...(decode && { decode }),
    ...(clientDecode && { clientDecode }),
    stages,
    files,
  };
}

/** The ONNX tensor of a cut is a value of the imported module. */
function valueOfCut(imported: ImportedModel): (cut: ClientCut) => ValueId {
  const values = new Map([...imported.sources].map(([id, source]) => [source, id]));
  return (cut) => values.get(cut.source) ?? cut.value;
}

/**
 * The secure module twice, once with the true weights and once with public ones in the place of private ones. Rewrites
 * look at shapes, labels and public numbers only, so the two have the same text; that they have is checked.
 */
function secureModules(
  { imported, surrogate, reveal }: LoadedModel,
  { head, setting }: ResolvedOptions,
  preset: Preset | undefined,
): {
  readonly private: SplitState;
  readonly public: SplitState;
  readonly split: Module;
  readonly rewritten: Module;
} {
  if (surrogate.missing.length > 0) throw new DiagnosticError(surrogate.missing.map(missingSurrogate));
  // With a third party the place of a row stays hidden at less than the row's own size.
  const lookupMode = setting === "3pc" && !preset?.families?.includes("replicated") ? "private" : "one-hot";
  const parts = (weights: WeightStore): readonly [Module, Module, SplitState] => {
    const state = { module: imported.module, weights, sources: imported.sources };
    const divided = split(state, { reveal });
    const rewritten = runPass(
      rewritePass({
        ...(head !== undefined && { head }),
        lookups: lookupMode,
        computes: computesOperator({ setting, ...(preset && { families: preset.families }) }),
        without: preset?.without ?? [],
      }),
      divided,
    );
    return [divided.module, rewritten.module, preset ? runPass(approximatePass(preset), rewritten) : rewritten];
  };
  const [divided, rewritten, privateState] = parts(imported.weights);
  const [, , publicState] = parts(surrogate.weights);
  if (print(privateState.module) !== print(publicState.module)) {
    throw new Error("a rewrite depends on private numbers: the module differs with public ones in their place");
  }
  const [leaked] = publicWeightsFromPrivate(privateState, publicState);
  if (leaked !== undefined) throw new Error(`a rewrite makes ${leaked}, which is public, of private numbers`);
  return { private: privateState, public: publicState, split: divided, rewritten };
}

const missingSurrogate = (key: string): Diagnostic => ({
  code: "MRL0652",
  message: `the private weight ${key} has no public counterpart to measure ranges with`,
  help: "give the public base that it was tuned from: --base; ranges measured with private weights would leak through ring widths",
});

const sanitizeProgramName = (name: string): string => name.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || "model";
