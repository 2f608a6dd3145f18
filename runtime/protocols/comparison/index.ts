export { below, belowMask, type Comparison, comparisonOf, comparisonVariants, tooWide } from "./comparison.ts";
export { pointKey } from "./comparison-dpf.ts";
export { atLeast, differenceOf, differenceWidth, negated, sideOf, unequalScales } from "./truths.ts";
