export { unlessAborted } from "./abort.ts";
export { type ClientOptions, openClientExecutor } from "./client-executor.ts";
export { compareWithOnnx, type ImportDifference, type OnnxComparison } from "./compare-onnx.ts";
export { type Evaluation, type EvaluationPrompt, evaluate, readEvaluationPrompts } from "./evaluate-build.ts";
export { decodeFailure, encodeFailure, type FailureMessage } from "./failure-message.ts";
export { type Forward, type GeneratedText, generate, textInputOf, tokenFeeds } from "./generate-text.ts";
export {
  bothHalves,
  combine,
  type DeclaredShare,
  fitResidue,
  type Halves,
  keptOutputs,
  type ReadShare,
  type Residues,
} from "./handed-shares.ts";
export { checkInputs, type InputFile, type InputsOf, inputFileOf, readInputFiles } from "./input-files.ts";
export { InternalError } from "./internal-error.ts";
export { loadMir } from "./load-mir.ts";
export { type LocalGuard, openLocalGuard } from "./local-guard.ts";
export { type LocalSession, openLocal } from "./local-session.ts";
export {
  assertTrafficPredicted,
  expectedTraffic,
  meterTraffic,
  setupRounds,
  type TrafficTotal,
  totalTraffic,
  trafficSince,
  watchChannel,
  watchMemory,
} from "./meter.ts";
export { type OnnxSession, openOnnxSession, runtimeInfo } from "./onnx-session.ts";
export { loadPlain, openPlain, type PlainOutputs, type PlainProgram, runPlain } from "./plain.ts";
export { type ClampedValues, dequantizeOutput } from "./quantize-inputs.ts";
export {
  addClamped,
  clampedField,
  type MeasuredRun,
  type OutputJson,
  outputsJson,
  type RunResult,
  roundTimes,
  type SharesJson,
  securityFields,
  trustedField,
  usedDirections,
} from "./run-result.ts";
export { openServerExecutor, revealedToServer, type ServerExecutor } from "./server-executor.ts";
export { refuseGuarded, refuseUntrusted, untrustedWarning } from "./untrusted-answer.ts";
export {
  comparesNothing,
  declaresNothing,
  isDecidedByErrors,
  nearnessOf,
  nearPart,
  type VerificationRun,
  type VerifiedOutput,
  verifyBuild,
} from "./verify-build.ts";
