export { type Grouping, groupings } from "./grouping.ts";
export { type HeadOptions, type MergeScale, mergeScales } from "./heads.ts";
export type { LoraOptions } from "./lora.ts";
export { isStudentManifest, readStudentManifest } from "./read.ts";
export { rewriteModel } from "./rewrite.ts";
export { studentText } from "./summary.ts";
export { studentFiles, writeStudent } from "./write.ts";
