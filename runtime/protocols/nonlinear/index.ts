export {
  evaluateByRangeReduction,
  mantissaBitsFor,
  planRangeReduction,
  type RangeReduction,
  rangeReductionRelativeError,
  rangeReductionResultWidth,
  rangeReductionScale,
  rangeReductionWidth,
} from "./exponent-range-reduction.ts";
export { exponentWidth, maskedExponential } from "./exponential.ts";
