import { SessionError } from "../core/index.ts";
import type { Channel } from "../transport/index.ts";

/** The reason of a party that ended the session is on its way, if there is one. */
const patienceMs = 2_000;

/**
 * Where the dealer has left because the peer ended the session, the client may notice the dealer first: the peer's own
 * reason says more.
 */
export async function firstCause(error: unknown, peer: Channel): Promise<unknown> {
  if (!(error instanceof SessionError) || error.reason !== "peerLeft") return error;
  return peer.receive({ exactBytes: 0, timeoutMs: patienceMs }).then(
    () => error,
    (last: unknown) => (last instanceof SessionError && last.reason === "peerAborted" ? last : error),
  );
}
