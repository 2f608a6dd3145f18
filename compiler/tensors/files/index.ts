export { type Checked, invalid, valid } from "./checked.ts";
export { makeFolder, requireFolder } from "./make-folder.ts";
export {
  fileDiagnostic,
  findDuplicates,
  readFileHead,
  readFileRange,
  readWholeFile,
  refuseForeignLink,
} from "./read-file.ts";
export { requireWritable, writeWholeFile } from "./write-file.ts";
