export type { LoraAdapter, LoraModule, SavedWeight } from "./adapter.ts";
export { type BaseModel, openBaseModel } from "./base-model.ts";
export {
  decideOwnership,
  isLoraMatrix,
  matchesPattern,
  matchesWeightName,
  noParameterName,
  type Ownership,
  type OwnershipRecord,
} from "./decide-ownership.ts";
export { createSurrogate, initialLoraMatrix, type Surrogate } from "./public-surrogate.ts";
export { countDifferences } from "./weight-digests.ts";
