import { type NamedBytes, type PartyLabels, type PartyName, roles } from "../../build/index.ts";

export interface PhaseTraffic {
  readonly rounds: number;
  /** Only links that carry something. */
  readonly bytes: NamedBytes;
}

/** What one party sends and receives on all its links together. */
export interface PartyTraffic {
  readonly sent: number;
  readonly received: number;
}

/** By the party's name in output. */
export type PartyTotals = Readonly<Partial<Record<PartyName, PartyTraffic>>>;

/** The same bytes by party. One party sends each byte and another receives it: the sum is twice the traffic. */
export function trafficByParty(phases: readonly PhaseTraffic[], labels: PartyLabels): PartyTotals {
  const links = phases.flatMap(({ bytes }) => Object.entries(bytes));
  const sum = (fits: (link: string) => boolean): number =>
    links.reduce((all, [link, count]) => (fits(link) ? all + count : all), 0);
  const of = (party: PartyName): PartyTraffic => ({
    sent: sum((link) => link.startsWith(party)),
    received: sum((link) => link.endsWith(party)),
  });
  return Object.fromEntries(roles.map(labels.role).map((party) => [party, of(party)]));
}

/** Setup is per session, the other phases are per query. */
export type TrafficTotals = Readonly<Record<"setup" | "offline" | "online", PhaseTraffic>>;
