import { sessionError } from "../core/index.ts";
import { emptyCache, type SessionCache } from "./session-cache.ts";

/** The cache as far as it is prepared (shares of masks), and as far as it is opened. */
interface CachePair {
  readonly prepared: SessionCache;
  readonly online: SessionCache;
}

export interface SessionState {
  /** The caches. @throws SessionError once the session has failed. */
  readonly alive: () => CachePair;
  readonly update: (changed: Partial<CachePair>) => void;
  /** Runs the work; if it fails, the session is over and its caches are dropped. */
  readonly orEndSession: <T>(work: () => Promise<T>) => Promise<T>;
}

export function createSessionState(): SessionState {
  let caches: CachePair | undefined = { prepared: emptyCache, online: emptyCache };
  const alive = (): CachePair => {
    if (!caches) throw sessionError("sessionOver", {});
    return caches;
  };
  return {
    alive,
    update: (changed) => {
      caches = { ...alive(), ...changed };
    },
    orEndSession: async (work) => {
      alive();
      try {
        return await work();
      } catch (error) {
        caches = undefined;
        throw error;
      }
    },
  };
}
