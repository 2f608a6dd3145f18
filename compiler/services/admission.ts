import { type Role, type SessionError, sessionError } from "../../runtime/core/index.ts";
import type { ServiceLimits } from "./service-limits.ts";

/** A session that was admitted: it computes, or it waits for its peer and lets others compute. */
export interface Turn {
  /** The session waits for another party: the next one may compute. `makesRoom`: after a while it may be ended for it. */
  readonly yieldTurn: (makesRoom: boolean) => void;
  /** Waits until it may compute again. Sessions that came first go first. */
  readonly resume: () => Promise<void>;
  /** The session is over. */
  readonly leave: () => void;
}

export interface Admission {
  /**
   * Waits until the session may compute. `left` is its peer's end: then it no longer waits. `drop` ends the session from
   * outside.
   * @throws SessionError busy, with the time after which to ask again
   */
  readonly enter: (entering: Entering) => Promise<Turn>;
  /** Whether some session waits for its turn. */
  readonly isContended: () => boolean;
  readonly counts: () => { readonly computing: number; readonly waiting: number };
}

export interface Entering {
  /** Fingerprint of the certificate for which the session counts. */
  readonly identity: string;
  readonly left: Promise<unknown>;
  readonly drop: (reason: SessionError) => void;
}

/** A session that says nothing for this long makes room for a new one where there is no other. */
const silentMs = 10_000;
const mostRetrySeconds = 60;

interface Session extends Entering {
  readonly order: number;
  readonly enteredMs: number;
  computing: boolean;
  over: boolean;
  silentSinceMs: number | undefined;
  wake: (() => void) | undefined;
}

/** Counts sessions, not connections. First come, first served; a session that waits for its peer costs no turn. */
export function createAdmission(limits: ServiceLimits, self: Role): Admission {
  const sessions = new Set<Session>();
  let computing = 0;
  let ordered = 0;
  /** Seconds of a session, as recent ones took. */
  let typicalSeconds = 1;
  const waiting = (): number => sessions.size - computing;
  const next = (): void => {
    while (computing < limits.maxSessions) {
      let first: Session | undefined;
      for (const each of sessions) if (each.wake && (!first || each.order < first.order)) first = each;
      if (!first) return;
      const { wake } = first;
      first.wake = undefined;
      first.computing = true;
      first.silentSinceMs = undefined;
      computing++;
      wake!();
    }
  };
  const stop = (session: Session): void => {
    if (session.computing) computing--;
    session.computing = false;
  };
  const leave = (session: Session): void => {
    if (session.over) return;
    session.over = true;
    stop(session);
    sessions.delete(session);
    session.wake?.();
    session.wake = undefined;
    typicalSeconds += ((performance.now() - session.enteredMs) / 1000 - typicalSeconds) / 8;
    next();
  };
  const turn = async (session: Session): Promise<void> => {
    if (session.over || session.computing) return;
    await new Promise<void>((resolve) => {
      session.wake = resolve;
      next();
    });
  };
  const busy = (reason: string): SessionError => {
    const expected = (typicalSeconds * (waiting() + 1)) / limits.maxSessions;
    const seconds = Math.min(mostRetrySeconds, Math.max(1, Math.ceil(expected)));
    return sessionError("busy", { peer: self, reason, seconds }, { retryAfterSeconds: seconds });
  };
  /** Ends the session that has been silent for longest, if it has been for long. */
  const makeRoom = (): boolean => {
    const silent = [...sessions].filter(({ silentSinceMs }) => silentSinceMs !== undefined);
    const [longest] = silent.sort((a, b) => a.silentSinceMs! - b.silentSinceMs!);
    if (!longest || performance.now() - longest.silentSinceMs! < silentMs) return false;
    const what = `${silentMs / 1000} s of silence while others wait`;
    longest.drop(sessionError("sessionLimit", { what, option: "--max-waiting" }));
    leave(longest);
    return true;
  };
  return {
    isContended: () => [...sessions].some(({ wake }) => wake !== undefined),
    counts: () => ({ computing, waiting: waiting() }),
    enter: async (entering) => {
      const own = [...sessions].filter(({ identity }) => identity === entering.identity).length;
      if (own >= limits.maxPerIdentity) throw busy("its certificate has too many sessions");
      const isFull = sessions.size >= limits.maxSessions + limits.maxWaiting;
      if (isFull && !makeRoom()) throw busy("too many sessions wait");
      const state = { computing: false, over: false, silentSinceMs: undefined, wake: undefined };
      const session: Session = { ...entering, ...state, order: ordered++, enteredMs: performance.now() };
      sessions.add(session);
      void entering.left.then(() => !session.computing && leave(session));
      await turn(session);
      if (session.over) throw sessionError("peerLeft", { peer: "peer", where: "while its session waited" });
      return {
        yieldTurn: (makesRoom) => {
          if (session.over) return;
          stop(session);
          if (makesRoom) session.silentSinceMs ??= performance.now();
          next();
        },
        resume: () => turn(session),
        leave: () => leave(session),
      };
    },
  };
}
