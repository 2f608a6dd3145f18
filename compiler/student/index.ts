export type { LoraOptions } from "./add-lora.ts";
export { type HeadOptions, type MergeScale, mergeScales } from "./change-heads.ts";
export { type Grouping, groupings } from "./group-heads.ts";
export { makeStudent } from "./make-student.ts";
export { isStudentManifest, readStudentManifest } from "./read-student-manifest.ts";
export type { StudentManifest } from "./student-manifest.ts";
export { studentText } from "./student-text.ts";
export { type StudentPaths, studentPaths, writeStudent } from "./write-student.ts";
