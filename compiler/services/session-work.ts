import type { Role } from "../../runtime/core/index.ts";
import type { Channel, ExpectedFrame } from "../../runtime/transport/index.ts";
import type { FailureMessage } from "../run/index.ts";

/** The open channels of a session, by the role at the other end. */
export type SessionChannels = Readonly<Partial<Record<Role, Channel>>>;

/** A question to the thread that answers peers; question and answer can be cloned. */
export type Ask = (question: unknown) => Promise<unknown>;

/** What is computed of one session, in a worker or not. */
export type SessionWork = (job: unknown, channels: SessionChannels, ask: Ask) => Promise<unknown>;

/** With what a thread starts. */
export type WorkSource =
  | { readonly kind: "server"; readonly dir: string; readonly adapter?: string; readonly manifestHash: string }
  | { readonly kind: "dealer"; readonly isLong: boolean };

interface OfSession {
  readonly session: number;
}

/** To a worker. A session computes after each of these, until it sends a call or its end. */
export type ToThread = OfSession &
  (
    | { readonly kind: "begin"; readonly job: unknown; readonly links: readonly Role[] }
    | {
        readonly kind: "reply";
        readonly call: number;
        readonly frame?: ArrayBuffer;
        readonly waitedMs?: number;
        readonly answer?: unknown;
      }
    | { readonly kind: "refusal"; readonly call: number; readonly failure: FailureMessage }
  );

/** From a worker. */
export type FromThread = OfSession &
  (
    | {
        readonly kind: "send";
        readonly link: Role;
        readonly frame: ArrayBuffer;
        readonly frameKind: "payload" | "control" | "wait";
      }
    | { readonly kind: "room"; readonly call: number; readonly link: Role }
    | { readonly kind: "receive"; readonly call: number; readonly link: Role; readonly expected: ExpectedFrame }
    | { readonly kind: "ask"; readonly call: number; readonly question: unknown }
    | { readonly kind: "done"; readonly result: unknown }
    | { readonly kind: "failed"; readonly failure: FailureMessage }
  );
