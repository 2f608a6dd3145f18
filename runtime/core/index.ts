export { describeCode, type SessionCause, SessionError, type SessionErrorDetails, sessionError } from "./errors.ts";
export type { FreshMask, Handle, KnownWeight, Mask, Party, Replicated, Share, Wire } from "./party.ts";
export { createPrg, freshSeed, type Prg } from "./random.ts";
export { type Link, type LinkBytes, links, noBytes, parallel, type Role, type Steps, type Transfer } from "./steps.ts";
