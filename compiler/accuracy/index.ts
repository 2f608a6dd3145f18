export { type DeclaredDecision, decisionsByTensor } from "./declared-decisions.ts";
export {
  type Declared,
  type DeclaredError,
  declaredErrors,
  errorsByTensor,
  publishedErrors,
} from "./declared-errors.ts";
export { createNoise, errorBound, errorBounds } from "./error-bound.ts";
export { undecidedInSingle } from "./single-precision.ts";
export { type OutputBounds, outputBounds } from "./undecided.ts";
export {
  areDecidedByErrors,
  isUseful,
  type JudgedOutput,
  judgedOutputs,
  type TriedProgram,
  tinyOutput,
  usefulPart,
  wouldVerify,
} from "./useful.ts";
