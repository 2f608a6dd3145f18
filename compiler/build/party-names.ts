import type { Direction, Role } from "../../runtime/core/index.ts";

/**
 * What readers call the parties. The third one deals in both settings; in 3pc it may also compute, and is the helper.
 * Code, folders and options say `dealer`, whatever the setting.
 */
export type PartyName = Role | "helper";
export type DirectionName = Direction | `${"client" | "server"}→helper` | `helper→${"client" | "server"}`;

/** Payload bytes by direction, as readers see them. */
export type NamedBytes = Readonly<Partial<Record<DirectionName, number>>>;

export const thirdPartyName = (setting: string): PartyName => (setting === "3pc" ? "helper" : "dealer");

/** The folder of a party in a build. */
export const folderOf = (name: string): string => (name === "helper" ? "dealer" : name);

const dealerInText = /^dealer(?=→|$)|(?<=→)dealer$/;

/** The same document with the third party's name in its keys and in the texts that are a party or a link. */
export function withPartyNames<T>(setting: string, document: T): T {
  const name = thirdPartyName(setting);
  if (name === "dealer") return document;
  const rename = (text: string): string => text.replace(dealerInText, name);
  const visit = (value: unknown): unknown => {
    if (typeof value === "string") return rename(value);
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [rename(key), visit(item)]));
  };
  return visit(document) as T;
}
