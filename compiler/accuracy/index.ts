export { type DeclaredError, declaredErrors } from "./declared-errors.ts";
export { createNoise, errorBound, errorBounds } from "./error-bound.ts";
