import type { LinkBytes } from "../../runtime/session/predict.ts";
import type { Role } from "../../runtime/steps.ts";

export interface Phase {
  readonly rounds: number;
  /** Links that carry nothing are left out. */
  readonly bytes: Readonly<Partial<LinkBytes>>;
}

/** What one party sends and receives on all its links together. */
export interface PartyBytes {
  readonly sent: number;
  readonly received: number;
}

const roles: readonly Role[] = ["client", "server", "dealer"];

/** The same bytes by party: each is sent by one and received by another, so the sum over parties is twice the traffic. */
export function bytesByParty(phases: readonly Phase[]): Readonly<Record<Role, PartyBytes>> {
  const links = phases.flatMap(({ bytes }) => Object.entries(bytes));
  const sum = (fits: (link: string) => boolean): number =>
    links.reduce((all, [link, count]) => (fits(link) ? all + count : all), 0);
  const of = (role: Role): PartyBytes => ({
    sent: sum((link) => link.startsWith(role)),
    received: sum((link) => link.endsWith(role)),
  });
  return Object.fromEntries(roles.map((role) => [role, of(role)])) as Readonly<Record<Role, PartyBytes>>;
}

/** Setup once per session, the others per query. */
export type Totals = Readonly<Record<"setup" | "offline" | "online", Phase>>;
