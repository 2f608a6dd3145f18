export { askedOutputs } from "./asked-outputs.ts";
export { type CompileOptions, type Settled, settle } from "./options.ts";
export { type HowToImport, importOwned, type Owned, ownershipFor } from "./owned.ts";
