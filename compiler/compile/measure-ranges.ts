import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import {
  beyondBoundsCode,
  boundsFrom,
  type Calibration,
  checkCalibration,
  checkFinite,
  estimateWrap,
  observe,
  quantize,
  roomForQueries,
  type WrapEstimate,
} from "../../passes/4-quantize/index.ts";
import { type ClientCut, cutsOf } from "../../passes/pass.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { cutSamples, type Sample } from "./calibration-samples.ts";
import type { SecurePart } from "./split-secure-part.ts";

export interface MeasuredRanges {
  readonly calibration: Calibration;
  /** How likely a query wraps: measured with public weights, which may be published, and with the private ones. */
  readonly wrap?: { readonly public: WrapEstimate; readonly private: WrapEstimate };
}

/**
 * Measures the range of every value of the secure part on calibration samples.
 * Ranges determine public ring widths: they are measured with public weights on public inputs only. Whether the
 * private weights stay within them on the same inputs is checked for the provider alone.
 * @throws DiagnosticError for a value that is not finite, or that exceeds its range with the private weights
 */
export function measureRanges(
  { imported, surrogate }: LoadedModel,
  secure: SecurePart,
  samples: readonly Sample[],
  {
    calibration: { margin, inputMargin, floor },
    target: { precision, preset },
  }: Pick<ResolvedOptions, "calibration" | "target">,
): MeasuredRanges {
  const valuesWith = (weights: WeightStore) =>
    cutSamples(
      { module: imported.module, weights },
      secure.public.module,
      cutsOf(secure.public),
      valueOfCut(imported),
      samples,
    );
  const values = valuesWith(surrogate.weights);
  // What the server computes in the clear may depend on its private weights.
  const privateValues = secure.private.server ? valuesWith(imported.weights) : values;
  throwIfAny(checkFinite(secure.private, privateValues));
  const expanded = preset !== undefined && Object.keys(preset.rewrites).length > 0;
  const measured = values.length > 0 ? observe(secure.public, values) : undefined;
  const withPrivate = observe(secure.private, privateValues);
  const boundsAt = (factor: number): Calibration =>
    boundsFrom(secure.public, measured, { margin: factor, inputMargin, floor, precision, expanded });
  const problemsAt = (factor: number): readonly Diagnostic[] =>
    checkCalibration(secure.private, {
      calibration: boundsAt(factor),
      measured: withPrivate,
      room: roomForQueries(factor),
    });
  const problems = problemsAt(margin);
  if (problems.length > 0) {
    const fits = (factor: number): boolean => {
      if (problemsAt(factor).length > 0) return false;
      return isAccepted(() => quantize(secure.private, { calibration: boundsAt(factor), precision }));
    };
    throw new DiagnosticError(adviseMargin(problems, margin, fits));
  }
  const calibration = boundsAt(margin);
  if (!measured) return { calibration };
  const estimate = (peaks: ReadonlyMap<ValueId, readonly number[]>): WrapEstimate => estimateWrap(peaks, calibration);
  return { calibration, wrap: { public: estimate(measured.peaks), private: estimate(withPrivate.peaks) } };
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
): readonly Diagnostic[] {
  const beyond = problems.filter(({ code }) => code === beyondBoundsCode);
  const [first, ...others] = beyond;
  if (!first) return problems;
  const least = leastMargin(margin, fits);
  const shown = others.slice(0, 4).map(({ message, at }) => `${message} (${at})`);
  const rest = others.length > 4 ? [`and ${others.length - 4} more values`] : [];
  const help =
    least === undefined
      ? "no --margin up to 1024 works: publish coarse ranges of the private weights with --publish-ranges"
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
