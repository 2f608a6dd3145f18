export { type DeclaredError, declaredErrors, errorsByTensor } from "./declared-errors.ts";
export { createNoise, errorBound, errorBounds } from "./error-bound.ts";
