export type { ChunkManifest, GuardManifest, Manifest, OptimizationTarget, SharedValueManifest } from "./manifest.ts";
export { mayHoldWeight, packWeights, weightDigests } from "./pack-weights.ts";
export { isBuilt, packageRoot, threadModule } from "./package-root.ts";
export {
  chosenAdapter,
  loadManifest,
  loadPartyBuild,
  type PartyBuild,
  sessionOptions,
} from "./party-build.ts";
export { isPartyFolder, partyFolder } from "./party-folder.ts";
export {
  type DirectionName,
  folderOf,
  isRole,
  type NamedBytes,
  type PartyLabels,
  type PartyName,
  partyLabels,
  roles,
  thirdPartyName,
} from "./party-names.ts";
export { securityStatement } from "./security-statement.ts";
export { sha256 } from "./sha256.ts";
export { version } from "./version.ts";
export { canonicalJson, checkBuildFolder, type StagedBuild, stageBuild, writeBuild } from "./write-build.ts";
