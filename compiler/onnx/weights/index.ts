export { absentScore } from "./absent-score.ts";
export { type ConstantDigest, constantDigests } from "./constants.ts";
export {
  catalogWeights,
  elementOf,
  isArchitecture,
  isPositions,
  sameTensor,
  storedTensors,
  type Weight,
  type WeightCatalog,
  type WeightOwners,
} from "./import-weights.ts";
export { modulePathOf, type Prefix, stripPrefix } from "./module-path.ts";
export { layerOfNode, placeOf } from "./node-place.ts";
export { innerNames } from "./structural.ts";
export { isProduct, type LinearNode, ownName, wrapperOf } from "./weight-names.ts";
