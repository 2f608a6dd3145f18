export { maxWeightPairs } from "./max-weight-matching.ts";
