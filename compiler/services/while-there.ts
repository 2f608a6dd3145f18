import { sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";

/** More than a peer says before its session begins. */
const mostBytes = 2 ** 20;

/**
 * Waits for the work as long as a peer is there which the work does not hear. Once that peer leaves, the work is over,
 * with the reason that the peer gave.
 */
export async function whileThere<T>(peer: Channel, work: Promise<T>): Promise<T> {
  let isDone = false;
  const gone = peer.left.then(async (): Promise<never> => {
    if (isDone) throw sessionError("peerLeft", { peer: peer.peer, where: "when nobody waited" });
    // What it said before its reason is of no use now.
    for (;;) await peer.receive({ maxBytes: mostBytes });
  });
  gone.catch(() => {});
  work.catch(() => {});
  try {
    return await Promise.race([work, gone]);
  } finally {
    isDone = true;
  }
}
