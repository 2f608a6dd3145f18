import type { Channel } from "../../runtime/transport/index.ts";
import type { MemoryShare } from "./memory-budget.ts";

const nothing = new Uint8Array(0);

/** Often enough for a party that gives up after 120 s of silence. */
const askToWaitEveryMs = 20_000;

/** Asks a peer to wait, if it takes frames. One that has left learns nothing. */
export const askToWait = (channel: Channel): Promise<void> => channel.send(nothing, "wait").catch(() => {});

/** Asks these peers to wait, now and then, until the result is called. Whoever takes no frames is not asked again. */
export function keepAsking(channels: readonly Channel[], everyMs: number = askToWaitEveryMs): () => void {
  const asking = new Set<Channel>();
  const timer = setInterval(() => {
    for (const channel of channels.filter((each) => !asking.has(each))) {
      asking.add(channel);
      void askToWait(channel).finally(() => asking.delete(channel));
    }
  }, everyMs);
  return () => clearInterval(timer);
}

/**
 * Takes memory for a query, and asks its parties to wait from then on until the memory is given back: no message comes
 * before it is there, and long steps may follow.
 */
export async function takeWhileAsking(
  channels: readonly Channel[],
  taking: Promise<MemoryShare>,
  everyMs?: number,
): Promise<MemoryShare> {
  const stop = keepAsking(channels, everyMs);
  try {
    const { release } = await taking;
    return {
      release: () => {
        stop();
        release();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
