export type { Adapter, AdapterModule, WholeWeight } from "./adapter.ts";
export { decideOwnership, isLoraHalf, isNamedBy, matches, type Ownership, type Provenance } from "./ownership.ts";
export { type Base, openBase } from "./ownership-base.ts";
export { differences } from "./ownership-bytes.ts";
export { freshHalf, publicSurrogate, type Surrogate } from "./public-surrogate.ts";
