export { openClientPart } from "./client-part.ts";
export { type Evaluation, evaluate, type Question, readQuestions } from "./evaluate.ts";
export { InternalFault } from "./fault.ts";
export { type Forward, feedsOf, generate, windowOf } from "./generate.ts";
export { checkInputs, readInputFiles } from "./inputs.ts";
export { openLocal } from "./local.ts";
export {
  assertPredicted,
  expectedOf,
  meter,
  setupRounds,
  since,
  type Total,
  totalOf,
  watched,
  watchMemory,
} from "./meter.ts";
export { openOnnx } from "./onnx-part.ts";
export { loadPlain, runPlain } from "./plain.ts";
export { dequantise } from "./quantise.ts";
export { readModule } from "./read-module.ts";
export {
  type Measured,
  type OutputJson,
  outputsJson,
  type RunResult,
  roundTimes,
  statementOf,
  usedLinks,
} from "./result.ts";
