import type { Role } from "../../../runtime/core/index.ts";
import type { NamedBytes, PartyName } from "../../build/index.ts";

export interface PhaseTraffic {
  readonly rounds: number;
  /** Links that carry nothing are left out. */
  readonly bytes: NamedBytes;
}

/** What one party sends and receives on all its links together. */
export interface PartyTraffic {
  readonly sent: number;
  readonly received: number;
}

/** By the names that readers see. */
export type PartyTotals = Readonly<Partial<Record<PartyName, PartyTraffic>>>;

const roles: readonly Role[] = ["client", "server", "dealer"];

/** The same bytes by party: each is sent by one and received by another, so the sum over parties is twice the traffic. */
export function trafficByParty(phases: readonly PhaseTraffic[]): PartyTotals {
  const links = phases.flatMap(({ bytes }) => Object.entries(bytes));
  const sum = (fits: (link: string) => boolean): number =>
    links.reduce((all, [link, count]) => (fits(link) ? all + count : all), 0);
  const of = (role: Role): PartyTraffic => ({
    sent: sum((link) => link.startsWith(role)),
    received: sum((link) => link.endsWith(role)),
  });
  return Object.fromEntries(roles.map((role) => [role, of(role)])) as PartyTotals;
}

/** Setup once per session, the others per query. */
export type TrafficTotals = Readonly<Record<"setup" | "offline" | "online", PhaseTraffic>>;
