import type { Role } from "../core/index.ts";
import { sessionError } from "../core/index.ts";
import type { Program } from "../program/index.ts";
import { placesOf, readsKept } from "./memory.ts";

/**
 * What a query is about, in a session with a memory. Program 0 runs over a window, of whose rows the first `place` are
 * text and are kept, as those behind program 1 do over shorter windows; program 1 goes on at `place`, the number of rows
 * that are kept by then. Public: all parties know it.
 */
export interface Asked {
  readonly program: number;
  readonly place: number;
}
export const windowAsked: Asked = { program: 0, place: 0 };

/** What the server asks of the dealer, and the client of the server, between queries. Default: the window. */
export type Request =
  | { readonly kind: "query"; readonly query: number; readonly asked?: Asked }
  | { readonly kind: "end" };
type Read = { readonly kind: "query"; readonly query: number; readonly asked: Asked } | { readonly kind: "end" };

/** Longest request, in bytes. */
export const maxRequestBytes = 96;

export function encodeRequest(request: Request): Uint8Array {
  if (request.kind === "end") return new TextEncoder().encode(JSON.stringify(request));
  const { kind, query, asked = windowAsked } = request;
  const about = asked.program === 0 && asked.place === 0 ? {} : asked;
  return new TextEncoder().encode(JSON.stringify({ kind, query, ...about }));
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

export function decodeRequest(bytes: Uint8Array, peer: Role): Read {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>;
    if (value.kind === "end") return { kind: "end" };
    const { query, program = 0, place = 0 } = value;
    if (value.kind === "query" && isCount(query) && isCount(program) && isCount(place)) {
      return { kind: "query", query, asked: { program, place } };
    }
  } catch {
    // Falls through: whatever it was, it is not a request.
  }
  throw sessionError("malformed", { peer, what: "request" });
}

/** The program that is asked for, if the session is where the question says. */
export function programAsked(
  programs: readonly Program[],
  { program, place }: Asked,
  kept: number,
  peer: Role,
): Program {
  const found = programs[program];
  const { least, most } = found ? placesOf(found) : { least: 1, most: 0 };
  const follows = found && (!readsKept(found) || place === kept);
  if (found && follows && place >= least && place <= most) return found;
  throw sessionError("wrongPlace", { peer, program, place, kept });
}
