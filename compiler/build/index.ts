export { canonicalJson, writeBuild } from "./build-dir.ts";
export { loadManifest, loadPart, openingOf, type Part, partyFolder } from "./build-parts.ts";
export type { ChosenFor, Manifest, PlacesManifest } from "./manifest.ts";
export { mayHold, packWeights } from "./pack-weights.ts";
export { dealerName, folderOf, type LinkName, type NamedBytes, named, type PartyName } from "./party-names.ts";
export { trustOf } from "./statement.ts";
export { version } from "./version.ts";
