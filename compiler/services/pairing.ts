import { sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";

export interface PartyPair {
  readonly client: Channel;
  readonly server: Channel;
}

export interface Pairing {
  /** Resolves with the pair at the one that completes it, with undefined at the other. */
  readonly join: (session: string, channel: Channel) => PartyPair | undefined;
  /** Drops all that wait. */
  readonly close: () => void;
}

interface WaitingParty {
  readonly channel: Channel;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Brings the two parties of a session together at the dealer. Bounded: who waits too long, or in too long a row, is sent away. */
export function createPairing(options: {
  readonly timeoutMs: number;
  readonly most: number;
  readonly onAlone: (session: string, channel: Channel) => void;
}): Pairing {
  const waiting = new Map<string, WaitingParty>();
  const roleKey = (session: string, role: string): string => `${role} ${session}`;
  return {
    join: (session, channel) => {
      const other = channel.peer === "client" ? "server" : "client";
      const found = waiting.get(roleKey(session, other));
      if (found) {
        clearTimeout(found.timer);
        waiting.delete(roleKey(session, other));
        return { [channel.peer]: channel, [other]: found.channel } as unknown as PartyPair;
      }
      const key = roleKey(session, channel.peer);
      if (waiting.has(key) || waiting.size >= options.most) {
        throw sessionError("wrongSession", { peer: channel.peer, mine: "a free place", theirs: "one too many" });
      }
      const timer = setTimeout(() => {
        waiting.delete(key);
        options.onAlone(session, channel);
      }, options.timeoutMs);
      waiting.set(key, { channel, timer });
      return undefined;
    },
    close: () => {
      for (const { channel, timer } of waiting.values()) {
        clearTimeout(timer);
        void channel.close();
      }
      waiting.clear();
    },
  };
}
