export {
  differenceOf,
  differenceWidth,
  negateBit,
  operandShare,
  scaleMismatch,
  widthHolding,
} from "./boolean-shares.ts";
export {
  belowMask,
  belowThresholds,
  type Comparison,
  comparisonOf,
  comparisonRefusal,
  comparisonVariants,
} from "./comparison.ts";
export { dpfKey } from "./comparison-dpf.ts";
