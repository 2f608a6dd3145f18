export type { Reveal } from "./reveals.ts";
export { type ImportState, type SplitOptions, split, splitPass } from "./split.ts";
