import { type Diagnostic, DiagnosticError, throwIfAny } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import {
  boundsFrom,
  type CalibrateOptions,
  type Calibration,
  type Observation,
  overlay,
  type PublishedBound,
  type PublishedRanges,
  publishRanges,
  publishWeights,
  publishWorstCase,
  quantize,
  type RunObservation,
  tooWideCode,
  withoutGuardedInner,
} from "../../passes/4-quantize/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { ResolvedOptions } from "../load/index.ts";
import { isFiniteInterval, missingBounds } from "./input-bounds.ts";
import type { GivenBounds } from "./ranges-file.ts";
import type { SecurePart } from "./split-secure-part.ts";

/** What ranges may come from. */
export interface RangeSources {
  readonly given: GivenBounds | undefined;
  /** Absent where nothing was measured. */
  readonly public?: RunObservation;
  readonly private: RunObservation;
  readonly namesOfInputs: readonly string[];
}

export interface PlannedBounds {
  readonly calibration: Calibration;
  /** Bounds of private weights that are public beside the base: of the file, or published. */
  readonly weights?: ReadonlyMap<ValueId, number>;
  /** What private weights have made public, if the provider says so. */
  readonly published?: readonly PublishedBound[];
}

/** The bounds with this margin, and what they publish. @throws DiagnosticError MRL0669 where some are missing */
export function planBounds(
  secure: SecurePart,
  measured: RangeSources,
  {
    calibration: { inputMargin, floor, publish = false },
    target: { precision, preset, guard },
  }: Pick<ResolvedOptions, "calibration" | "target">,
  margin: number,
): PlannedBounds {
  const sources = guard ? withoutInner(secure, measured, guard.layers) : measured;
  const { given } = sources;
  const expanded = preset !== undefined && Object.keys(preset.rewrites).length > 0;
  const how = { margin, inputMargin, floor, expanded };
  const requireBounds = (calibration: Calibration): void => {
    const missing = missingBounds(secure.public, calibration, sources.namesOfInputs);
    if (missing.length === 0) return;
    // An operator that no bounds make computable is told first: bounds would be given in vain.
    throwIfAny(refusedOperators(secure.private, calibration, precision));
    throwIfAny(missing);
  };
  const withWeights = given?.weights && given.weights.size > 0 ? { weights: given.weights } : {};
  if (!publish) {
    const calibration = boundsFrom(secure.public, sources.public, {
      ...{ ...how, ...provenFrom(precision, given, given?.weights) },
    });
    requireBounds(calibration);
    return { calibration, ...withWeights };
  }
  const weights = publishWeights(secure.private, given?.weights);
  const proven = { ...provenFrom(precision, given, weights.bounds), least: weights.least };
  const ranges = (): PublishedRanges => {
    if (sources.public)
      return publishRanges(secure.public.module, { public: sources.public, private: sources.private }, how, given);
    const open = boundsFrom(secure.public, undefined, proven);
    if (!secure.public.module.inputs.every((id) => isFiniteInterval(open.ranges.get(id)!))) requireBounds(open);
    return publishWorstCase(secure.private, open.ranges, new Set(given?.values.keys()));
  };
  const { observation, published } = ranges();
  const known = given ? overlay(observation, given) : observation;
  const calibration = boundsFrom(secure.public, undefined, { ...how, ...proven, given: known });
  requireBounds(calibration);
  return { calibration, weights: weights.bounds, published: [...weights.published, ...published] };
}

/** What a guard cannot see is not measured either. */
function withoutInner(
  { public: { module } }: SecurePart,
  sources: RangeSources,
  layers: readonly string[],
): RangeSources {
  const without = <T extends Observation>(observed: T): T => withoutGuardedInner(module, observed, layers);
  return {
    ...sources,
    given: sources.given && without(sources.given),
    ...(sources.public && { public: without(sources.public) }),
    private: without(sources.private),
  };
}

/** Options under which interval analysis proves bounds. */
export const provenFrom = (
  precision: Precision,
  given: Observation | undefined,
  weights: ReadonlyMap<ValueId, number> | undefined,
): CalibrateOptions => ({ precision, ...(given && { given }), ...(weights && { published: weights }) });

/** What keeps operators from a fixed-point form, whatever the bounds. */
function refusedOperators(state: SplitState, calibration: Calibration, precision: Precision): readonly Diagnostic[] {
  try {
    quantize(state, { calibration, precision });
    return [];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics.filter(({ code }) => code !== tooWideCode);
  }
}
