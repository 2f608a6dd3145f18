import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import { comparisonOf, comparisonVariants } from "../comparison/index.ts";
import { defineProtocol, maskedWidth, type Protocol, rescale, type Spec, widthBeforeRescale } from "../kit/index.ts";
import {
  evaluateByRangeReduction,
  mantissaBitsFor,
  planRangeReduction,
  type RangeReducedFunction,
  type RangeReduction,
  rangeReductionError,
  rangeReductionRefusal,
  rangeReductionScale,
  rangeReductionWidestRing,
  rangeReductionWidth,
} from "./exponent-range-reduction.ts";

const planOf = (name: RangeReducedFunction, spec: Spec): RangeReduction => {
  const x = spec.operands[0]!;
  return planRangeReduction(name, x.lo, x.hi, x.scale, 1, mantissaBitsFor(spec.result.scale));
};

function* evaluateFunction(party: Party, name: RangeReducedFunction, spec: Spec, x: MaskedValue): Steps<Share> {
  const plan = planOf(name, spec);
  const by = rangeReductionScale(plan) - spec.result.scale;
  const value = yield* evaluateByRangeReduction(
    party,
    x,
    plan,
    widthBeforeRescale(spec.result.width, by),
    comparisonOf(spec),
  );
  return { kind: "share", tensor: rescale(value, by) };
}

/** 1/x, 1/√x or ln x of a masked value with positive public bounds (docs/protocols/exponent-range-reduction.md). 2 rounds. */
function rangeReducedProtocol(name: RangeReducedFunction): Protocol {
  return defineProtocol({
    name: `range-reduced.${name}`,
    implements: name,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/exponent-range-reduction.md",
    accuracy: { ulps: (spec) => 1 + rangeReductionError(planOf(name, spec)) * 2 ** spec.result.scale },
    forms: ["masked"],
    yields: "share",
    operandWidths: (spec) => [Math.max(maskedWidth(spec.operands[0]!), rangeReductionWidth(planOf(name, spec)))],
    maxResultWidth: (spec) => {
      const plan = planOf(name, spec);
      return rangeReductionWidestRing(plan) - Math.max(0, rangeReductionScale(plan) - spec.result.scale);
    },
    refuses: (spec) => {
      const { lo, hi, scale } = spec.operands[0]!;
      if (lo > 0) return rangeReductionRefusal(lo, hi, scale, comparisonOf(spec));
      return `its operand may be ${lo}, but its range must be positive`;
    },
    variants: (spec) => comparisonVariants(rangeReductionWidth(planOf(name, spec))),
    *run(party, spec, x) {
      return yield* evaluateFunction(party, name, spec, x as MaskedValue);
    },
  });
}

export const rangeReducedLog = rangeReducedProtocol("log");
export const rangeReducedReciprocal = rangeReducedProtocol("reciprocal");
export const rangeReducedRsqrt = rangeReducedProtocol("rsqrt");
