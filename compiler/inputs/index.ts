export { inputFileEndings, readInputTensors, readJsonTensors } from "./input-tensors.ts";
export {
  type HandedValue,
  isResidueName,
  type ResidueFile,
  readResidue,
  residueFileEnd,
  type ShareHolder,
  shareId,
  writeResidue,
} from "./residue-file.ts";
export { readSampleFiles } from "./sample-files.ts";
export { padTokens, readTokenizer, readTokenizerFiles, type TextTokenizer } from "./tokenizer.ts";
