export {
  catalogWeights,
  elementOfDtype,
  isArchitectureConstant,
  isPositionTable,
  type ModelWeight,
  sameTensor,
  storedTensors,
  type WeightCatalog,
  type WeightOwners,
} from "./catalog-weights.ts";
export { type ConstantDigest, constantDigests } from "./constant-digests.ts";
export { maskedScore } from "./masked-score.ts";
export { modulePathOf, type PathPrefix, stripPrefix } from "./module-path.ts";
export { nodeLayer, nodeLocation } from "./node-location.ts";
export { innerGraphNames } from "./shape-inputs.ts";
export { isMatrixProduct, type LinearNode, statedParameterName, wrapperPrefixOf } from "./weight-names.ts";
