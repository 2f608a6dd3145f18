import { getHeapStatistics } from "node:v8";
import { type BytesByDirection, type Direction, noBytes, type Role } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import {
  addBytes,
  createPredictor,
  type Prediction,
  predictSetup,
  type QueryPosition,
} from "../../runtime/session/index.ts";
import { aroundChannel, type Channel } from "../../runtime/transport/index.ts";
import { InternalError } from "./internal-error.ts";

/** Traffic that a party counted on its links. */
export interface MeteredTraffic {
  /** Payload bytes by direction, of the links of this party. */
  readonly bytes: Readonly<Partial<Record<Direction, number>>>;
  /** Bytes of headers and control frames that this party sent. */
  readonly framingBytes: number;
}

export interface TrafficTotal {
  readonly rounds: number;
  readonly bytes: BytesByDirection;
}

const isLink = (text: string): text is Direction => Object.hasOwn(noBytes, text);

/** Reads the counters of a party's channels. */
export function meterTraffic(role: Role, channels: readonly Channel[]): MeteredTraffic {
  const bytes: Partial<Record<Direction, number>> = {};
  for (const { peer, sent, received } of channels) {
    const [to, from] = [`${role}→${peer}`, `${peer}→${role}`];
    if (isLink(to)) bytes[to] = sent.payloadBytes;
    if (isLink(from)) bytes[from] = received.payloadBytes;
  }
  return { bytes, framingBytes: channels.reduce((sum, { sent }) => sum + sent.framingBytes, 0) };
}

/** Rounds of the setup, which sends seeds and masked weights before the first query. */
export const setupRounds = 1;

/** Predicted traffic of a whole session: its setup, and each of its queries. */
export function expectedTraffic(programs: readonly Program[], positions: readonly QueryPosition[]): TrafficTotal {
  const [setup, rest] = [predictSetup(programs), totalTraffic(positions.map(createPredictor(programs)))];
  return { rounds: setup.rounds + rest.rounds, bytes: addBytes(setup.bytes, rest.bytes) };
}

/** Predicted traffic of some queries of a session together, without its setup. */
export const totalTraffic = (predictions: readonly Prediction[]): TrafficTotal => ({
  rounds: predictions.reduce((sum, { offline, online }) => sum + offline.rounds + online.rounds, 0),
  bytes: addBytes(noBytes, ...predictions.flatMap(({ offline, online }) => [offline.bytes, online.bytes])),
});

/** Bytes on a party's links since an earlier reading. */
export const trafficSince = (now: MeteredTraffic, before: MeteredTraffic): MeteredTraffic["bytes"] =>
  Object.fromEntries(
    Object.entries(now.bytes).map(([link, count]) => [link, count - (before.bytes[link as Direction] ?? 0)]),
  );

/**
 * Checks that both ends of a link and the cost model agree, to the byte and the round.
 * @throws InternalError MRL0799 where they differ
 */
export function assertTrafficPredicted(
  predicted: TrafficTotal,
  rounds: readonly number[],
  seen: readonly MeteredTraffic[],
): void {
  const wrong = seen.flatMap(({ bytes }) =>
    Object.entries(bytes)
      .filter(([link, found]) => predicted.bytes[link as Direction] !== found)
      .map(([link, found]) => `${link} ${predicted.bytes[link as Direction]} predicted, ${found} measured`),
  );
  for (const found of rounds) {
    if (found !== predicted.rounds) wrong.push(`rounds ${predicted.rounds} predicted, ${found} measured`);
  }
  if (wrong.length > 0)
    throw new InternalError("MRL0799", `traffic is not as predicted: ${[...new Set(wrong)].join("; ")}`);
}

/** Measures the peak of this thread's heap and buffers, in MB; threads of one process share all other memory. */
export interface MemoryWatch {
  readonly sample: () => void;
  readonly stop: () => number;
}

const bytesPerMegabyte = 1e6;

export function watchMemory(everyMs = 20): MemoryWatch {
  let peak = 0;
  const sample = (): void => {
    // Not process.memoryUsage(), which asks the operating system too: a tenth of a query's time.
    const { used_heap_size: heap, external_memory: buffers } = getHeapStatistics();
    peak = Math.max(peak, heap + buffers);
  };
  sample();
  const timer = setInterval(sample, everyMs);
  timer.unref();
  return {
    sample,
    stop: () => {
      sample();
      clearInterval(timer);
      return Math.round(peak / bytesPerMegabyte);
    },
  };
}

/** A channel that samples the memory at every frame: between rounds no timer fires. */
export const watchChannel = (channel: Channel, watch: MemoryWatch): Channel =>
  aroundChannel(channel, {
    send: (frame, kind) => {
      watch.sample();
      return channel.send(frame, kind);
    },
    receive: async (expected) => {
      const frame = await channel.receive(expected);
      watch.sample();
      return frame;
    },
  });
