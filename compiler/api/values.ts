import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import type { Endpoint } from "../services/index.ts";
import { readUsage, usage } from "./errors.ts";

/** A network link: `lan` (3000 Mbit/s, 0.8 ms), `wan` (100 Mbit/s, 80 ms), `<Mbit/s>x<round-trip ms>`, or a profile. */
export type LinkOption = string | LinkProfile;

/** `host:port`, `[IPv6]:port`, or host and port in an object. */
export type Address = string | Endpoint;

export const linkOf = (link: LinkOption): LinkProfile =>
  typeof link === "string" ? readUsage(() => parseLink(link)) : link;

/** @throws UsageError that names the option `what` */
export function endpointOf(address: Address, what: string): Endpoint {
  if (typeof address !== "string") return address;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port > 65535) return usage(`--${what} takes host:port, found "${address}"`);
  return { host, port };
}

export const addressText = ({ host, port }: Endpoint): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** @throws UsageError for anything but an integer from 1 */
export function countOf(count: number | undefined, what: string, fallback: number): number {
  if (count === undefined) return fallback;
  return Number.isSafeInteger(count) && count >= 1
    ? count
    : usage(`--${what} takes an integer of at least 1, found "${count}"`);
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Drops undefined values: without exactOptionalPropertyTypes, callers may pass `undefined` for "not given". */
export const given = <T extends object>(options: T): Given<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
