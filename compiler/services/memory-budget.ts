import { totalmem } from "node:os";
import { sessionError } from "../../runtime/core/index.ts";
import { aroundChannel, type Channel } from "../../runtime/transport/index.ts";

export interface MemoryShare {
  readonly release: () => void;
}

/** Memory that the queries of all long sessions share. First come, first served. */
export interface MemoryBudget {
  /**
   * Admits a long session; call the result at its end. Sessions that wait for memory leave places for those that need
   * none.
   * @throws SessionError busy where too many are there
   */
  readonly enter: () => () => void;
  /** Waits for its share. Rejects once the session is over. */
  readonly take: (bytes: number, left: Promise<unknown>) => Promise<MemoryShare>;
}

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/** Memory comes free when a long query ends, which takes its time. */
const retrySeconds = 10;

/** No share may be larger than `total`; `mostSessions` may share it. */
export function createMemoryBudget(total: number, mostSessions: number): MemoryBudget {
  let free = total;
  let sessions = 0;
  const queue: Waiting[] = [];
  const next = (): void => {
    while (queue[0] && queue[0].bytes <= free) {
      const { bytes, grant } = queue.shift()!;
      free -= bytes;
      grant();
    }
  };
  return {
    enter: () => {
      if (sessions >= mostSessions) {
        const facts = { peer: "dealer", reason: "too many sessions share its memory", seconds: retrySeconds };
        throw sessionError("busy", facts, { retryAfterSeconds: retrySeconds });
      }
      sessions++;
      return () => void sessions--;
    },
    take: (bytes, left) =>
      new Promise((resolve, reject) => {
        let isHeld = true;
        const release = (): void => {
          if (isHeld) free += bytes;
          isHeld = false;
          next();
        };
        const mine: Waiting = { bytes, grant: () => resolve({ release }) };
        queue.push(mine);
        void left.then(() => {
          const place = queue.indexOf(mine);
          if (place < 0) return;
          queue.splice(place, 1);
          reject(sessionError("peerLeft", { peer: "peer", where: "while its query waited for memory" }));
          next();
        });
        next();
      }),
  };
}

/**
 * The server's channel at the dealer. A query has its share of memory from its request until the dealer waits for the
 * next request: a session that asks nothing holds none. `hold` keeps something until then, such as the setup does. `end`
 * gives back what a query that failed still has.
 */
export function aroundQueries(
  server: Channel,
  takeShare: () => Promise<MemoryShare>,
): { readonly channel: Channel; readonly hold: (share: MemoryShare) => void; readonly end: () => void } {
  let share: MemoryShare | undefined;
  const end = (): void => {
    share?.release();
    share = undefined;
  };
  const channel = aroundChannel(server, {
    receive: async (expected) => {
      // After the handshakes, only requests are control frames.
      if (expected.kind !== "control") return await server.receive(expected);
      end();
      const frame = await server.receive(expected);
      share = await takeShare();
      return frame;
    },
  });
  const hold = (held: MemoryShare): void => {
    end();
    share = held;
  };
  return { channel, hold, end };
}

/** Half of what this process may use: a container has less than its machine. */
export function usualMemoryBudget(): number {
  const allowed = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(totalmem(), allowed) / 2);
}
