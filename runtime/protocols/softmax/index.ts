export { sequenceAxis } from "./cached-attention.ts";
export { maskPatternOf, type ScoreLayout, scatterScores, scoreLayout } from "./softmax-core.ts";
