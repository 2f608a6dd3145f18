export { readInputs } from "./read-inputs.ts";
export { sampleFiles } from "./sample-files.ts";
export { fillWindow, readTokenizer, type TextTokens, tokenizerFiles } from "./tokenizer.ts";
