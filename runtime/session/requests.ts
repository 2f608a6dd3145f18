import { type Role, sessionError } from "../core/index.ts";
import type { Program } from "../program/index.ts";
import { positionRange, readsCache } from "./session-cache.ts";

/**
 * The position that a query is about, in a session with a cache. Program 0 (prefill) runs over the whole sequence
 * length; its first `position` rows are text and are cached. The programs behind program 1 do the same over shorter
 * lengths. Program 1 (decode) continues at `position`, the number of rows in the cache. Public: all parties know it.
 */
export interface QueryPosition {
  readonly program: number;
  readonly position: number;
}
export const prefillStart: QueryPosition = { program: 0, position: 0 };

/**
 * A request of the server to the dealer, and of the client to the server, between queries. Default: prefill. The client
 * shows the server what the query is about, and the server does not pass it on.
 */
export type Request =
  | ({ readonly kind: "query"; readonly query: number; readonly at?: QueryPosition } & QuerySubject)
  | { readonly kind: "end" };
type DecodedRequest =
  | ({ readonly kind: "query"; readonly query: number; readonly at: QueryPosition } & QuerySubject)
  | { readonly kind: "end" };

/** By what the server finds its part of the input. */
export interface QuerySubject {
  /** The name of an input of its own. */
  readonly record?: string;
  /** Ids of the values of which both parties hold residues, in the order of the program's inputs. */
  readonly shares?: readonly string[];
}

/** More inputs that arrive as shares than any program has. */
const maxShares = 64;
/** Maximum length of a request, in bytes. */
export const maxRequestBytes = 192 + 40 * maxShares;

/** The id of a value that two programs pass on in shares. */
export const isShareId = (text: unknown): text is string => typeof text === "string" && /^[0-9a-f]{32}$/.test(text);

const areShareIds = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= maxShares && value.every(isShareId);

/** A record's name: it may become a part of a file's name at the server, so it is neither a path nor hidden. */
export const isRecordName = (text: unknown): text is string =>
  typeof text === "string" && /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(text);

export function encodeRequest(request: Request): Uint8Array {
  if (request.kind === "end") return new TextEncoder().encode(JSON.stringify(request));
  const { kind, query, at = prefillStart, record, shares } = request;
  const about = at.program === 0 && at.position === 0 ? {} : at;
  return new TextEncoder().encode(JSON.stringify({ kind, query, ...about, record, shares }));
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

export function decodeRequest(bytes: Uint8Array, peer: Role): DecodedRequest {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>;
    if (value.kind === "end") return { kind: "end" };
    const { query, program = 0, position = 0, record, shares } = value;
    const isNamed = (record === undefined || isRecordName(record)) && (shares === undefined || areShareIds(shares));
    if (value.kind === "query" && isCount(query) && isCount(program) && isCount(position) && isNamed) {
      const subject = {
        ...(record !== undefined && { record }),
        ...(shares !== undefined && { shares: shares as readonly string[] }),
      };
      return { kind: "query", query, at: { program, position }, ...subject };
    }
  } catch {
    // Anything that does not parse is not a request: fall through.
  }
  throw sessionError("malformed", { peer, what: "request" });
}

/** The program of a query, if the cache is at the query's position. @throws SessionError otherwise. */
export function programAt(
  programs: readonly Program[],
  { program, position }: QueryPosition,
  cachedRows: number,
  peer: Role,
): Program {
  const found = programs[program];
  const { least, most } = found ? positionRange(found) : { least: 1, most: 0 };
  const follows = found && (!readsCache(found) || position === cachedRows);
  if (found && follows && position >= least && position <= most) return found;
  throw sessionError("wrongPosition", { peer, program, position, cached: cachedRows });
}
