import type { Role } from "../core/index.ts";
import {
  aroundChannel,
  type Channel,
  defaultMostWaitMs,
  type LinkProfile,
  nowMs,
  slowestLink,
  transmissionMs,
} from "../transport/index.ts";
import type { Prediction } from "./predict.ts";

/** Computing that no byte and no round stands for, in ms: loading, plaintext layers, other sessions of a busy machine. */
const spareMs = 240_000;

/** How long a party waits within a query: the silence follows from the bytes, the whole query also from the rounds. */
export interface Patience {
  /** A query begins, whose traffic is counted. */
  readonly begin: (prediction: Prediction) => void;
  readonly end: () => void;
  /** The same channels, which wait as long as the query may take. */
  readonly around: <T extends Readonly<Partial<Record<Role, Channel>>>>(channels: T) => T;
  /** Time of the query's rounds and bytes on the slowest link: another party works, and this one waits for a request. */
  readonly queryMs: (prediction: Prediction) => number;
}

const slower = (a: LinkProfile, b: LinkProfile): LinkProfile => ({
  name: a.name,
  mbitPerSecond: Math.min(a.mbitPerSecond, b.mbitPerSecond),
  roundTripMs: Math.max(a.roundTripMs, b.roundTripMs),
});

const bytesOf = ({ offline, online }: Prediction): number =>
  [offline, online].flatMap(({ bytes }) => Object.values(bytes)).reduce((sum, bytes) => sum + bytes, 0);

/**
 * No deadline of a query is fixed: each follows from what was counted, on the slowest link that a party waits for, or on
 * the emulated link of a channel where that is slower still. A query that takes longer than all of it is given up, even
 * if a byte comes now and then. A party that asks to wait, as a dealer does that has no memory yet, is given more time, up
 * to a bound.
 */
export function createPatience(links: readonly Channel[]): Patience {
  const link = links.reduce((slowest, channel) => slower(slowest, channel.link ?? slowest), slowestLink);
  const transferMs = (prediction: Prediction): number => transmissionMs(link, bytesOf(prediction));
  const queryMs = (prediction: Prediction): number =>
    transferMs(prediction) + (prediction.offline.rounds + prediction.online.rounds) * link.roundTripMs;
  /** What others asked this party to wait, in all queries so far: several ask for the same time. */
  const waitedMs = (): number => Math.max(0, ...links.map((channel) => channel.waitedMs ?? 0));
  let query: { readonly silenceMs: number; readonly endsAtMs: number; readonly waitedMs: number } | undefined;
  const patient = (channel: Channel): Channel =>
    aroundChannel(channel, {
      receive: (expected) => {
        if (!query) return channel.receive(expected);
        const askedMs = Math.min(defaultMostWaitMs, waitedMs() - query.waitedMs);
        const withinMs = Math.max(0, query.endsAtMs + askedMs - nowMs());
        return channel.receive({ ...expected, extraMs: query.silenceMs, withinMs });
      },
    });
  return {
    begin: (prediction) => {
      query = {
        silenceMs: link.roundTripMs + transferMs(prediction),
        endsAtMs: nowMs() + spareMs + queryMs(prediction),
        waitedMs: waitedMs(),
      };
    },
    end: () => {
      query = undefined;
    },
    around: (channels) =>
      Object.fromEntries(
        Object.entries(channels).map(([role, channel]) => [role, patient(channel as Channel)]),
      ) as typeof channels,
    queryMs,
  };
}
