import { sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";

export interface PartyPair {
  readonly client: Channel;
  readonly server: Channel;
}

export interface Pairing {
  /**
   * Returns the pair to the party that completes it, and undefined to the one that came first.
   * @throws SessionError wrongSession where the role is taken, or too many parties wait
   */
  readonly join: (session: string, channel: Channel) => PartyPair | undefined;
  /** Closes the connections of all parties that wait. */
  readonly close: () => void;
}

interface WaitingParty {
  readonly channel: Channel;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Pairs the two parties of a session at the dealer. It limits the number of parties that wait, and how long they do. */
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
        throw sessionError("wrongSession", { peer: channel.peer, mine: "no free slot", theirs: "one party too many" });
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
