export type { ArchitectureOptions } from "./architecture-builder.ts";
export {
  type AdapterOwnership,
  type ArchitectureOwnership,
  parseOwnership,
  withAdapters,
} from "./architecture-ownership.ts";
export { type ArchitectureName, architectureNames, architectures } from "./architectures.ts";
export { checkHeadGroups } from "./attention-block.ts";
export { type EstimateOptions, estimateCost } from "./count-architecture.ts";
export { countTraffic, type QueryTraffic } from "./count-traffic.ts";
export { runArchitecture } from "./run-architecture.ts";
