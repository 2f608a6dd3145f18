export {
  describeCode,
  isBusy,
  type SessionCause,
  SessionError,
  type SessionErrorDetails,
  sessionCauses,
  sessionError,
} from "./errors.ts";
export type { FreshMask, KnownWeight, Mask, MaskedValue, Party, ReplicatedShare, Share, SharedValue } from "./party.ts";
export { createPrg, freshSeed, joinSeeds, type Prg } from "./random.ts";
export {
  type BytesByDirection,
  type Direction,
  directions,
  noBytes,
  parallel,
  type Role,
  type Steps,
  type Transfer,
} from "./steps.ts";
