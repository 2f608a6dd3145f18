export { type ArchitectureOptions, cacheInfix } from "./architecture-builder.ts";
export { privateLayerCount } from "./architecture-module.ts";
export {
  type AdapterOwnership,
  type ArchitectureOwnership,
  parseOwnership,
  withAdapters,
} from "./architecture-ownership.ts";
export { type ArchitectureName, architectureNames, architectures } from "./architectures.ts";
export { checkHeadGroups } from "./attention-block.ts";
export { type EstimateOptions, estimateCost, estimateSetting, scheduledEstimate } from "./count-architecture.ts";
