import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module, ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import {
  beyondBoundsCode,
  boundsFrom,
  type Calibration,
  checkCalibration,
  checkFinite,
  estimateWrap,
  type Observation,
  observe,
  quantize,
  type RunObservation,
  roomForQueries,
  type WrapEstimate,
} from "../../passes/4-quantize/index.ts";
import { type ClientCut, cutsOf, type SplitState } from "../../passes/pass.ts";
import { inputMarginOf, type LoadedModel, type ResolvedOptions } from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { cutSamples, type Sample } from "./calibration-samples.ts";
import { drawSamples } from "./draw-samples.ts";
import { boundsOfCuts, missingBounds, passedToShares } from "./input-bounds.ts";
import { withMakers } from "./maker-bounds.ts";
import { type PlannedBounds, planBounds, provenFrom, type RangeSources } from "./plan-bounds.ts";
import { type GivenBounds, readRanges } from "./ranges-file.ts";
import type { SecurePart } from "./split-secure-part.ts";

export interface MeasuredRanges extends PlannedBounds {
  /** How many runs were measured, and on what. */
  readonly runs: { readonly count: number; readonly drawn: boolean };
  /** What the parties share in those runs with public weights; drawn within the bounds where nothing was measured. */
  readonly publicInputs: readonly ReadonlyMap<ValueId, Tensor>[];
  readonly privateInputs: readonly ReadonlyMap<ValueId, Tensor>[];
  /**
   * How likely a query wraps: measured with public weights, which may be published (absent where they say nothing of
   * the private ones), and with the private ones.
   */
  readonly wrap?: { readonly public?: WrapEstimate; readonly private: WrapEstimate };
}

/**
 * Finds the range of every value of the secure part. Ranges determine public ring widths, so they come from public
 * bounds (--ranges), or are measured on public inputs with public weights instead of private ones. With
 * --publish-ranges they are measured with the private weights, and each bound is published as a power of two. Whether
 * the private weights stay within them on the same inputs is checked for the provider alone.
 * @throws DiagnosticError for a value that is not finite, that has no bounds, or that exceeds its range with the private
 * weights
 */
export function measureRanges(
  loaded: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  options: Pick<ResolvedOptions, "calibration" | "target" | "interface">,
): MeasuredRanges {
  const { runs, sources } = measure(loaded, secure, samples, options);
  const planned = planFor(secure, sources, runs, options);
  const inputsOf = (known: Runs["public"], state: SplitState): Runs["public"] =>
    known.length > 0 ? known : drawnInputs(state, planned.calibration);
  return {
    ...planned,
    runs: { count: runs.public.length, drawn: runs.drawn },
    publicInputs: inputsOf(runs.public, secure.public),
    privateInputs: inputsOf(runs.private, secure.private),
    ...wrapEstimates(planned.calibration, sources, loaded, options),
  };
}

/** Runs the secure part with public weights and with private ones. */
function measure(
  loaded: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  options: Pick<ResolvedOptions, "calibration" | "target" | "interface">,
): { readonly runs: Runs; readonly sources: RangeSources } {
  const { ranges: file } = options.calibration;
  const { precision } = options.target;
  const inFile = file === undefined ? undefined : givenBounds(file, loaded.imported, secure.public, precision);
  const given = withMakers(inFile, secure.public, options.interface.makers);
  const runs = runsOf(loaded, secure, samples, given, options);
  throwIfAny(checkFinite(secure.private, runs.private));
  const sources: RangeSources = {
    ...{ given, namesOfInputs: namesOfInputs(loaded.imported) },
    ...(runs.public.length > 0 && { public: observe(secure.public, runs.public) }),
    private: observe(secure.private, runs.private),
  };
  return { runs, sources };
}

/** Plans the bounds, and checks that the private weights keep them. */
function planFor(
  secure: SecurePart,
  sources: RangeSources,
  runs: Runs,
  options: Pick<ResolvedOptions, "calibration" | "target">,
): PlannedBounds {
  const { ranges: file, margin } = options.calibration;
  const { precision, preset } = options.target;
  const formulas = Object.keys(preset?.rewrites ?? {}).length > 0 ? preset?.name : undefined;
  // Inputs that are drawn reach the ends of their bounds: queries need no room beyond.
  const problemsAt = (factor: number, { calibration }: PlannedBounds): readonly Diagnostic[] =>
    checkCalibration(secure.private, {
      ...{ calibration, measured: sources.private, room: runs.drawn ? 1 : roomForQueries(factor), preset: formulas },
    });
  const planned = planBounds(secure, sources, options, margin);
  const problems = problemsAt(margin, planned);
  if (problems.length === 0) return planned;
  const fits = (factor: number): boolean => {
    // As the option would set it.
    const calibration = { ...options.calibration, inputMargin: inputMarginOf(factor) };
    const wider = planBounds(secure, sources, { ...options, calibration }, factor);
    if (problemsAt(factor, wider).length > 0) return false;
    return isAccepted(() => quantize(secure.private, { calibration: wider.calibration, precision }));
  };
  throw new DiagnosticError(adviseMargin(problems, margin, fits, file));
}

/** How likely a query wraps, where runs were measured. */
function wrapEstimates(
  calibration: Calibration,
  sources: RangeSources,
  { surrogate }: LoadedModel,
  { calibration: { publish = false } }: Pick<ResolvedOptions, "calibration">,
): Pick<MeasuredRanges, "wrap"> {
  if (!sources.public) return {};
  const estimate = ({ peaks }: RunObservation): WrapEstimate => estimateWrap(peaks, calibration);
  const speaks = !publish && surrogate.initial.length === 0;
  return { wrap: { ...(speaks && { public: estimate(sources.public) }), private: estimate(sources.private) } };
}

/** Inputs within their bounds, where no run was needed to plan. */
const drawnInputs = (state: SplitState, { ranges }: Calibration): readonly ReadonlyMap<ValueId, Tensor>[] =>
  drawSamples(state.module, cutsOf(state), ranges) ?? [];

/** Inputs of the secure part: those that a calibration sample gives, with public weights and with private ones. */
interface Runs {
  readonly public: readonly ReadonlyMap<ValueId, Tensor>[];
  readonly private: readonly ReadonlyMap<ValueId, Tensor>[];
  /** There are no samples: the inputs were drawn within public bounds. */
  readonly drawn: boolean;
}

function runsOf(
  { imported, surrogate }: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  given: GivenBounds | undefined,
  { calibration: { publish = false }, target: { precision } }: Pick<ResolvedOptions, "calibration" | "target">,
): Runs {
  const { module } = secure.public;
  const cuts = cutsOf(secure.public);
  const valuesWith = (weights: WeightStore) =>
    cutSamples({ module: imported.module, weights }, module, cuts, valueOfCut(imported), samples);
  const measured = valuesWith(surrogate.weights);
  // What the server computes in the clear may depend on its private weights.
  const own = secure.private.server ? valuesWith(imported.weights) : measured;
  if (measured.length > 0 || publish) return { public: measured, private: own, drawn: false };
  // Bounds that hold for all weights and inputs, or are public already, need no measurement.
  const calibration = boundsFrom(secure.public, undefined, provenFrom(precision, given, given?.weights));
  const isEnough =
    missingBounds(secure.public, calibration, []).length === 0 &&
    isAccepted(() => quantize(secure.private, { calibration, precision }));
  const drawn = isEnough ? undefined : drawSamples(module, cuts, boundsOfInputs(module, given));
  return { public: drawn ?? [], private: drawn ?? [], drawn: drawn !== undefined };
}

/** Bounds of a file, by value of the secure part: those of the model's inputs give bounds of what the client shares. */
function givenBounds(
  file: string,
  imported: ImportedModel,
  { module, sources, client }: SplitState,
  precision: Precision,
): GivenBounds {
  const { inputs, ...bounds } = readRanges(file, { module, sources }, imported.inputs);
  const cuts = inputs.size > 0 ? boundsOfCuts(imported, client.cuts, valueOfCut(imported), inputs, precision) : [];
  return { ...bounds, values: passedToShares(module, new Map([...cuts, ...bounds.values])) };
}

/** Inputs of the model that a query supplies. */
const namesOfInputs = ({ inputs, module }: ImportedModel): readonly string[] =>
  [...inputs].filter(([, id]) => module.values[id]?.type.label !== "public").map(([name]) => name);

/** Public bounds of inputs, in the file or by their types. */
function boundsOfInputs({ inputs, values }: Module, given: Observation | undefined): ReadonlyMap<ValueId, Interval> {
  const known = inputs.map((id) => [id, given?.values.get(id) ?? values[id]!.range] as const);
  return new Map(known.filter((entry): entry is [ValueId, Interval] => entry[1] !== undefined));
}

/** Finds the value of the imported module that is the ONNX tensor of a cut. */
function valueOfCut(imported: ImportedModel): (cut: ClientCut) => ValueId {
  const values = new Map([...imported.sources].map(([id, source]) => [source, id]));
  return (cut) => values.get(cut.source) ?? cut.value;
}

function isAccepted(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof DiagnosticError) return false;
    throw error;
  }
}

/** The largest margin that the option takes. */
const largestMargin = 1024;

/** One problem for all values beyond their bounds, with the least margin that works, if one does. */
export function adviseMargin(
  problems: readonly Diagnostic[],
  margin: number,
  fits: (margin: number) => boolean,
  ranges?: string,
): readonly Diagnostic[] {
  const beyond = problems.filter(({ code }) => code === beyondBoundsCode);
  const [first, ...others] = beyond;
  if (!first) return problems;
  const least = leastMargin(margin, fits);
  const shown = others.slice(0, 4).map(({ message, at }) => `${message} (${at})`);
  const rest = others.length > 4 ? [`and ${others.length - 4} more values`] : [];
  const help =
    least === undefined
      ? ranges === undefined
        ? "no --margin up to 1024 works: publish coarse ranges of the private weights with --publish-ranges"
        : `widen the bounds of these values in ${ranges}, or remove their rows`
      : `compile with --margin ${least}, the least that works on these inputs; the margin becomes public`;
  const merged: Diagnostic = { ...first, because: [...(first.because ?? []), ...shown, ...rest], help };
  return [...problems.filter(({ code }) => code !== beyondBoundsCode), merged];
}

/** The least whole margin for which the predicate holds: doubling, then halving the distance. */
function leastMargin(margin: number, fits: (margin: number) => boolean): number | undefined {
  let below = Math.floor(margin);
  let above = Math.max(below + 1, 2);
  while (!fits(above)) {
    if (above >= largestMargin) return undefined;
    [below, above] = [above, Math.min(largestMargin, above * 2)];
  }
  while (above - below > 1) {
    const middle = Math.floor((above + below) / 2);
    if (fits(middle)) above = middle;
    else below = middle;
  }
  return above;
}
