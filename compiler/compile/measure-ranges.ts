import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module, ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { WeightStore } from "../../ir/tensor.ts";
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
  overlay,
  type PublishedBound,
  type PublishedRanges,
  publishRanges,
  publishWorstCase,
  quantize,
  roomForQueries,
  type WrapEstimate,
} from "../../passes/4-quantize/index.ts";
import { type ClientCut, cutsOf, type SplitState } from "../../passes/pass.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { cutSamples, type Sample } from "./calibration-samples.ts";
import { drawSamples } from "./draw-samples.ts";
import { boundsOfCuts, isFiniteInterval, missingBounds } from "./input-bounds.ts";
import { readRanges } from "./ranges-file.ts";
import type { SecurePart } from "./split-secure-part.ts";

export interface MeasuredRanges {
  readonly calibration: Calibration;
  /** How many runs were measured, and on what. */
  readonly runs: { readonly count: number; readonly drawn: boolean };
  /** What private weights have made public, if the provider says so. */
  readonly published?: readonly PublishedBound[];
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
  { imported, surrogate }: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  {
    calibration: { margin, inputMargin, floor, ranges, publish = false },
    target: { precision, preset },
  }: Pick<ResolvedOptions, "calibration" | "target">,
): MeasuredRanges {
  const { module } = secure.public;
  const cuts = cutsOf(secure.public);
  const given = ranges === undefined ? undefined : givenBounds(ranges, imported, secure.public, precision);
  const valuesWith = (weights: WeightStore) =>
    cutSamples({ module: imported.module, weights }, module, cuts, valueOfCut(imported), samples);
  const cut = valuesWith(surrogate.weights);
  const isAlone = (): boolean => {
    const calibration = boundsFrom(secure.public, undefined, { precision, ...(given && { given }) });
    return missing(calibration).length === 0 && isAccepted(() => quantize(secure.private, { calibration, precision }));
  };
  const missing = (found: Calibration): readonly Diagnostic[] =>
    missingBounds(secure.public, found, namesOfInputs(imported));
  // Bounds that hold for all weights and inputs, or are public already, need no measurement.
  const drawn =
    cut.length > 0 || publish || isAlone() ? undefined : drawSamples(module, cuts, boundsOfInputs(module, given));
  const values = drawn ?? cut;
  // What the server computes in the clear may depend on its private weights.
  const privateValues = drawn ?? (secure.private.server ? valuesWith(imported.weights) : cut);
  throwIfAny(checkFinite(secure.private, privateValues));
  const expanded = preset !== undefined && Object.keys(preset.rewrites).length > 0;
  const measured = values.length > 0 ? observe(secure.public, values) : undefined;
  const withPrivate = observe(secure.private, privateValues);
  const how = { inputMargin, floor, expanded };
  const published = (factor: number): PublishedRanges | undefined => {
    if (!publish) return undefined;
    if (measured)
      return publishRanges(module, { public: measured, private: withPrivate }, { ...how, margin: factor }, given);
    const open = boundsFrom(secure.public, undefined, { precision, ...(given && { given }) });
    throwIfAny(module.inputs.every((id) => isFiniteInterval(open.ranges.get(id)!)) ? [] : missing(open));
    return publishWorstCase(secure.private, open.ranges, new Set(given?.values.keys()));
  };
  const boundsAt = (factor: number): Calibration => {
    const open = published(factor)?.observation;
    const known = open && given ? overlay(open, given) : (open ?? given);
    return boundsFrom(secure.public, open ? undefined : measured, {
      ...{ ...how, margin: factor, precision },
      ...(known && { given: known }),
    });
  };
  // Inputs that are drawn reach the ends of their bounds: queries need no room beyond.
  const roomAt = (factor: number): number => (drawn ? 1 : roomForQueries(factor));
  const problemsAt = (factor: number): readonly Diagnostic[] =>
    checkCalibration(secure.private, { calibration: boundsAt(factor), measured: withPrivate, room: roomAt(factor) });
  const calibration = boundsAt(margin);
  throwIfAny(missing(calibration));
  const problems = problemsAt(margin);
  if (problems.length > 0) {
    const fits = (factor: number): boolean => {
      if (problemsAt(factor).length > 0) return false;
      return isAccepted(() => quantize(secure.private, { calibration: boundsAt(factor), precision }));
    };
    throw new DiagnosticError(adviseMargin(problems, margin, fits, ranges));
  }
  const open = published(margin)?.published;
  const runs = { count: values.length, drawn: drawn !== undefined };
  const found = { calibration, runs, ...(open && { published: open }) };
  if (!measured) return found;
  const estimate = (peaks: ReadonlyMap<ValueId, readonly number[]>): WrapEstimate => estimateWrap(peaks, calibration);
  const speaks = !publish && surrogate.initial.length === 0;
  return {
    ...found,
    wrap: { ...(speaks && { public: estimate(measured.peaks) }), private: estimate(withPrivate.peaks) },
  };
}

/** Bounds of a file, by value of the secure part: those of the model's inputs give bounds of what the client shares. */
function givenBounds(
  file: string,
  imported: ImportedModel,
  { module, sources, client }: SplitState,
  precision: Precision,
): Observation {
  const { values, inner, inputs } = readRanges(file, { module, sources }, imported.inputs);
  if (inputs.size === 0) return { values, inner };
  const cuts = boundsOfCuts(imported, client.cuts, valueOfCut(imported), inputs, precision);
  return { values: new Map([...cuts, ...values]), inner };
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
