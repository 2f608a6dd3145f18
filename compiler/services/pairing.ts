import { type Role, type SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";

export interface PartyPair {
  readonly client: Channel;
  readonly server: Channel;
}

export interface Pairing {
  /**
   * Returns the pair to the party that completes it, and undefined to the one that came first.
   * @throws SessionError wrongSession where the role is taken
   */
  readonly join: (session: string, channel: Channel) => PartyPair | undefined;
  /** Whether the other party of this one's session waits for it. */
  readonly awaits: (session: string, role: Role) => boolean;
  /** Parties that wait. */
  readonly size: () => number;
  /** Closes the connections of all parties that wait. */
  readonly close: () => void;
}

interface WaitingParty {
  readonly channel: Channel;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Pairs the two parties of a session at the dealer. A party waits until the other comes, until its time is over, or until
 * it leaves. Each role has room of its own, so that no client takes a server's; where it is full, the party that waits
 * longest makes room, since a party whose peer is on its way waits for a moment only.
 */
export function createPairing(options: {
  readonly timeoutMs: number;
  /** Parties of one role that may wait. */
  readonly most: number;
  readonly onAlone: (session: string, channel: Channel) => void;
  /** A party that made room for another, and left with this reason. */
  readonly onCrowded?: (reason: SessionError) => void;
}): Pairing {
  const waiting = new Map<string, Map<string, WaitingParty>>();
  const ofRole = (role: Role): Map<string, WaitingParty> => {
    const found = waiting.get(role) ?? new Map<string, WaitingParty>();
    waiting.set(role, found);
    return found;
  };
  const take = (role: Role, session: string): Channel | undefined => {
    const found = ofRole(role).get(session);
    ofRole(role).delete(session);
    clearTimeout(found?.timer);
    return found?.channel;
  };
  const makeRoom = (role: Role): void => {
    const [longest] = ofRole(role).keys();
    if (longest === undefined || ofRole(role).size < options.most) return;
    const facts = { peer: "dealer", reason: `too many ${role}s wait for their peers`, seconds: 1 };
    const reason = sessionError("busy", facts, { retryAfterSeconds: 1 });
    void take(role, longest)?.close(reason);
    options.onCrowded?.(reason);
  };
  return {
    join: (session, channel) => {
      const { peer } = channel;
      const other = peer === "client" ? "server" : "client";
      const found = take(other, session);
      if (found) return { [peer]: channel, [other]: found } as unknown as PartyPair;
      if (ofRole(peer).has(session))
        throw sessionError("wrongSession", { peer, mine: "no free slot", theirs: "one party too many" });
      makeRoom(peer);
      const timer = setTimeout(() => {
        take(peer, session);
        options.onAlone(session, channel);
      }, options.timeoutMs);
      ofRole(peer).set(session, { channel, timer });
      void channel.left.then(() => {
        if (ofRole(peer).get(session)?.channel === channel) take(peer, session);
      });
      return undefined;
    },
    awaits: (session, role) => ofRole(role === "client" ? "server" : "client").has(session),
    size: () => [...waiting.values()].reduce((sum, { size }) => sum + size, 0),
    close: () => {
      for (const parties of waiting.values()) {
        for (const { channel, timer } of parties.values()) {
          clearTimeout(timer);
          void channel.close();
        }
        parties.clear();
      }
    },
  };
}
