import type { Role } from "../core/index.ts";
import { sessionError } from "../core/index.ts";
import type { Program } from "../program/index.ts";
import { positionRange, readsCache } from "./session-cache.ts";

/**
 * What a query is about, in a session with a memory. Program 0 runs over a window, of whose rows the first `place` are
 * text and are kept, as those behind program 1 do over shorter windows; program 1 goes on at `place`, the number of rows
 * that are kept by then. Public: all parties know it.
 */
export interface QueryPosition {
  readonly program: number;
  readonly position: number;
}
export const prefillStart: QueryPosition = { program: 0, position: 0 };

/** What the server asks of the dealer, and the client of the server, between queries. Default: the window. */
export type Request =
  | { readonly kind: "query"; readonly query: number; readonly at?: QueryPosition }
  | { readonly kind: "end" };
type DecodedRequest =
  | { readonly kind: "query"; readonly query: number; readonly at: QueryPosition }
  | { readonly kind: "end" };

/** Longest request, in bytes. */
export const maxRequestBytes = 96;

export function encodeRequest(request: Request): Uint8Array {
  if (request.kind === "end") return new TextEncoder().encode(JSON.stringify(request));
  const { kind, query, at = prefillStart } = request;
  const about = at.program === 0 && at.position === 0 ? {} : at;
  return new TextEncoder().encode(JSON.stringify({ kind, query, ...about }));
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

export function decodeRequest(bytes: Uint8Array, peer: Role): DecodedRequest {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>;
    if (value.kind === "end") return { kind: "end" };
    const { query, program = 0, position = 0 } = value;
    if (value.kind === "query" && isCount(query) && isCount(program) && isCount(position)) {
      return { kind: "query", query, at: { program, position } };
    }
  } catch {
    // Falls through: whatever it was, it is not a request.
  }
  throw sessionError("malformed", { peer, what: "request" });
}

/** The program that is asked for, if the session is where the question says. */
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
