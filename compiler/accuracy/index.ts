export { type DeclaredError, declaredErrors, errorsByTensor, publishedErrors } from "./declared-errors.ts";
export { createNoise, errorBound, errorBounds } from "./error-bound.ts";
