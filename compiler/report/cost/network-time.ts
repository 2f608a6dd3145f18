import { type LinkProfile, transmissionMs } from "../../../runtime/transport/index.ts";
import type { PhaseTraffic, TrafficTotals } from "./traffic-totals.ts";

/** Time on the network alone, without the parties' computation. */
export interface NetworkTime {
  readonly link: string;
  readonly mbitPerSecond: number;
  readonly roundTripMs: number;
  readonly communicationSeconds: Readonly<Record<"setup" | "offline" | "online", number>>;
}

/**
 * rounds · RTT/2 + bytes / bandwidth, per phase. Each direction between two parties is a link of its own, and all links
 * transmit at once: a phase takes as long as its fullest link.
 */
export function networkTime(totals: TrafficTotals, link: LinkProfile): NetworkTime {
  const seconds = ({ rounds, bytes }: PhaseTraffic): number => {
    const fullest = Math.max(0, ...Object.values(bytes));
    return ((rounds * link.roundTripMs) / 2 + transmissionMs(link, fullest)) / 1000;
  };
  const { setup, offline, online } = totals;
  const communicationSeconds = { setup: seconds(setup), offline: seconds(offline), online: seconds(online) };
  return { link: link.name, mbitPerSecond: link.mbitPerSecond, roundTripMs: link.roundTripMs, communicationSeconds };
}
