import { availableParallelism } from "node:os";
import { isBuilt } from "../build/index.ts";

/** What a service allows. Each bound is an option of `serve` and `deal`, and a variable of the environment. */
export interface ServiceLimits {
  /** Sessions that compute at the same time. One that waits for its peer makes room for the next. */
  readonly maxSessions: number;
  /** Sessions that wait for their turn, or for their peer; beyond them the service is busy. */
  readonly maxWaiting: number;
  /** Sessions of one certificate, computing and waiting. */
  readonly maxPerIdentity: number;
  /** Connections of one address that have not said yet who they are. */
  readonly maxPerAddress: number;
  /** Seconds from the beginning of a session to its end. */
  readonly maxSessionSeconds: number;
  /** Bytes in both directions on all connections of a session. */
  readonly maxSessionBytes: number;
  /** Seconds that this service computes for one session. */
  readonly maxSessionCompute: number;
  /** Threads that plan and compute; 0: none, all happens in the thread that answers peers. */
  readonly workers: number;
}

interface LimitSpec {
  readonly fallback: number;
  readonly least: number;
  readonly help: string;
}

const cores = availableParallelism();
/** By limit: its default and its help. The options, the variables and the checks of the API are made of this table. */
export const limitSpecs: Readonly<Record<keyof ServiceLimits, LimitSpec>> = {
  maxSessions: {
    fallback: Math.min(64, Math.max(8, 8 * cores)),
    least: 1,
    help: "sessions that compute at the same time (default: 8 for each core, at most 64)",
  },
  maxWaiting: {
    fallback: 1024,
    least: 0,
    help: "sessions that wait; further ones are asked to come back (default: 1024)",
  },
  maxPerIdentity: {
    fallback: 1088,
    least: 1,
    help: "sessions of one certificate, waiting ones included (default: 1088)",
  },
  maxPerAddress: { fallback: 256, least: 1, help: "connections of one address before their greeting (default: 256)" },
  maxSessionSeconds: { fallback: 86_400, least: 1, help: "seconds that a session may last (default: 86400)" },
  maxSessionBytes: { fallback: 1e12, least: 1, help: "bytes that a session may exchange (default: 1e12)" },
  maxSessionCompute: {
    fallback: 3_600,
    least: 1,
    help: "seconds that the service computes for a session (default: 3600)",
  },
  workers: {
    // Node starts threads from JavaScript: what runs from its sources, as tests do, computes in one thread.
    fallback: isBuilt ? Math.min(16, Math.max(2, cores - 1)) : 0,
    least: 0,
    help: "threads that plan and compute; 0 computes where peers are answered (default: one less than cores, at least 2)",
  },
};

/** The limits that were given, and the defaults of the others. */
export const limitsOf = (given: Partial<ServiceLimits> = {}): ServiceLimits =>
  Object.fromEntries(
    Object.entries(limitSpecs).map(([name, { fallback }]) => [name, given[name as keyof ServiceLimits] ?? fallback]),
  ) as unknown as ServiceLimits;
