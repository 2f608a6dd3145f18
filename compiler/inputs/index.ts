export { inputFileEndings, readInputTensors, readJsonTensors } from "./input-tensors.ts";
export { readSampleFiles } from "./sample-files.ts";
export { padTokens, readTokenizer, readTokenizerFiles, type TextTokenizer } from "./tokenizer.ts";
