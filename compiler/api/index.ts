/** Every command of the command line, as a function. */
export type { ArchitectureCostOptions } from "./architecture-cost.ts";
export {
  type BuildCheckResult,
  type CheckBuildOptions,
  type CheckOptions,
  type CheckResult,
  check,
  checkBuild,
  checkGuarded,
  type OperatorKind,
} from "./check.ts";
export { type CompileOptions, type CompileResult, compile, compileGuarded } from "./compile.ts";
export {
  type BuildCostOptions,
  type CostOptions,
  type CostResult,
  type CountOptions,
  cost,
  costBeside,
  type ModelCostOptions,
  nothingToCount,
} from "./cost.ts";
export { demoModel, demoPrompt } from "./demo.ts";
export { type DoctorOptions, type DoctorResult, doctor, examine } from "./doctor.ts";
export { fileProblem, UnsavedError, UsageError, usage } from "./errors.ts";
export { type EvaluateOptions, type EvaluateResult, evaluate } from "./evaluate.ts";
export {
  defaultTokens,
  type GeneratedToken,
  type GenerateOptions,
  type GenerateResult,
  generate,
  whereItRan,
} from "./generate.ts";
export { withHelp } from "./help.ts";
export type { InputOptions, InputTensor, NestedNumbers } from "./inputs.ts";
export {
  type InspectBuildOptions,
  type InspectBuildResult,
  type InspectOptions,
  type InspectResult,
  type InspectStudentOptions,
  type InspectStudentResult,
  inspect,
  inspectBuild,
  inspectStudent,
} from "./inspect.ts";
export {
  type AcceptedKey,
  type AcceptInviteOptions,
  acceptInvite,
  type ChangedTrust,
  type CreateKeysOptions,
  type CreateOwnKeyOptions,
  createKeys,
  createOwnKey,
  inviteParty,
  type KeysResult,
  type KnownParties,
  listKeys,
  type OwnKey,
  type PeerOptions,
  type RenewKeyOptions,
  renewKey,
  revokeParty,
  trustParty,
  type WrittenInvite,
} from "./keys.ts";
export { defaultTolerance, type ModelOptions, type Owner, type Reader, resolveModelOptions } from "./model-options.ts";
export type { PartyOptions } from "./party-identity.ts";
export { type RewriteOptions, type RewriteResult, rewrite } from "./rewrite.ts";
export { type LocalRunOptions, type RunOptions, run } from "./run.ts";
export type { Service, ServiceOptions } from "./running-service.ts";
export type { ServedQuery, ServerInputOptions } from "./server-inputs.ts";
export type { ServedAnswer } from "./server-outputs.ts";
export {
  type DealOptions,
  deal,
  type QueryOptions,
  query,
  type RemoteOptions,
  type ServeOptions,
  serve,
} from "./services.ts";
export { type Address, addressText, endpointOf, given, type LinkOption, linkOf } from "./values.ts";
