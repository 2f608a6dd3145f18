import { type Direction, directions, type Role } from "../../runtime/core/index.ts";

export const roles = ["client", "server", "dealer"] as const satisfies readonly Role[];

export const isRole = (value: unknown): value is Role => roles.includes(value as Role);

/**
 * Names of the parties in output. The third party deals in both settings; in 3pc it may also compute, and is called the
 * helper. Code, folders and options say `dealer` in every setting.
 */
export type PartyName = Role | "helper";
export type DirectionName = Direction | `${"client" | "server"}→helper` | `helper→${"client" | "server"}`;

/** Payload bytes by direction, with the parties' names of the setting. */
export type NamedBytes = Readonly<Partial<Record<DirectionName, number>>>;

export const thirdPartyName = (setting: string): PartyName => (setting === "3pc" ? "helper" : "dealer");

/** The folder of a party in a build. */
export const folderOf = (name: string): string => (name === "helper" ? "dealer" : name);

/** Names parties and links in output; records keep the order of their keys. */
export interface PartyLabels {
  readonly role: (role: Role) => PartyName;
  readonly bytes: (linkBytes: Readonly<Partial<Record<Direction, number>>>) => NamedBytes;
  readonly perRole: <T>(record: Readonly<Partial<Record<Role, T>>>) => Readonly<Partial<Record<PartyName, T>>>;
  /** All links, in the order in which reports list them. */
  readonly links: readonly DirectionName[];
}

/** The labels of a setting: only the name of the third party depends on it. */
export function partyLabels(setting: string): PartyLabels {
  const role = (name: Role): PartyName => (name === "dealer" ? thirdPartyName(setting) : name);
  const direction = (link: Direction): DirectionName =>
    (link.split("→") as Role[]).map(role).join("→") as DirectionName;
  const mapKeys = <K extends string, L extends string, T>(
    record: Readonly<Partial<Record<K, T>>>,
    label: (key: K) => L,
  ) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [label(key as K), value])) as Partial<Record<L, T>>;
  return {
    role,
    bytes: (linkBytes) => mapKeys(linkBytes, direction),
    perRole: (record) => mapKeys(record, role),
    links: directions.map(direction),
  };
}
