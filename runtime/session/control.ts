import type { Role } from "../steps.ts";
import { sessionError } from "./errors.ts";

/** What the server asks of the dealer, and the client of the server, between queries. */
export type Request = { readonly kind: "query"; readonly query: number } | { readonly kind: "end" };

export const encodeRequest = (request: Request): Uint8Array => new TextEncoder().encode(JSON.stringify(request));

export function decodeRequest(bytes: Uint8Array, peer: Role): Request {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>;
    if (value.kind === "end") return { kind: "end" };
    if (value.kind === "query" && Number.isSafeInteger(value.query) && Number(value.query) >= 0) {
      return { kind: "query", query: Number(value.query) };
    }
  } catch {
    // Falls through: whatever it was, it is not a request.
  }
  throw sessionError("malformed", { peer, what: "request" });
}
