import { totalmem } from "node:os";
import { sessionError } from "../../runtime/core/index.ts";
import { aroundChannel, type Channel } from "../../runtime/transport/index.ts";

/** Memory that the queries of all long sessions share. First come, first served. */
export interface MemoryBudget {
  /** Waits for its share. Rejects once the session is over. */
  readonly take: (bytes: number, left: Promise<unknown>) => Promise<{ readonly release: () => void }>;
}

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/** No share may be larger than `total`. */
export function createMemoryBudget(total: number): MemoryBudget {
  let free = total;
  const queue: Waiting[] = [];
  const next = (): void => {
    while (queue[0] && queue[0].bytes <= free) {
      const { bytes, grant } = queue.shift()!;
      free -= bytes;
      grant();
    }
  };
  return {
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
 * next request: a session that asks nothing holds none. `end` gives back what a query that failed still has.
 */
export function aroundQueries(
  server: Channel,
  takeShare: () => ReturnType<MemoryBudget["take"]>,
): { readonly channel: Channel; readonly end: () => void } {
  let share: Awaited<ReturnType<MemoryBudget["take"]>> | undefined;
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
  return { channel, end };
}

/** Half of what this process may use: a container has less than its machine. */
export function usualMemoryBudget(): number {
  const allowed = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(totalmem(), allowed) / 2);
}
