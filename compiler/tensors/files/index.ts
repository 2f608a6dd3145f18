export {
  fileDiagnostic,
  findDuplicates,
  readFileHead,
  readFileRange,
  readWholeFile,
  refuseForeignLink,
} from "./read-file.ts";
