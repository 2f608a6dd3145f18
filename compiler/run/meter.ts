import type { Direction, Role } from "../../runtime/core/index.ts";
import { type BytesByDirection, noBytes } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import type { QueryPosition } from "../../runtime/session/index.ts";
import { addBytes, createPredictor, type Prediction, predictSetup } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { InternalError } from "./internal-error.ts";

/** What a party saw on its links. */
export interface MeteredTraffic {
  /** Payload of the directions that this party sends or receives. */
  readonly bytes: Readonly<Partial<Record<Direction, number>>>;
  /** Headers and control frames that this party sent. */
  readonly framingBytes: number;
}

export interface TrafficTotal {
  readonly rounds: number;
  readonly bytes: BytesByDirection;
}

const isLink = (text: string): text is Direction => Object.hasOwn(noBytes, text);

export function meterTraffic(role: Role, channels: readonly Channel[]): MeteredTraffic {
  const bytes: Partial<Record<Direction, number>> = {};
  for (const { peer, sent, received } of channels) {
    const [to, from] = [`${role}→${peer}`, `${peer}→${role}`];
    if (isLink(to)) bytes[to] = sent.payloadBytes;
    if (isLink(from)) bytes[from] = received.payloadBytes;
  }
  return { bytes, framingBytes: channels.reduce((sum, { sent }) => sum + sent.framingBytes, 0) };
}

/** Seeds and hidden weights cross before the first query: one round. */
export const setupRounds = 1;

/** A session of these programs from its setup on: what each question sends, and setup once. */
export function expectedTraffic(programs: readonly Program[], positions: readonly QueryPosition[]): TrafficTotal {
  const [setup, rest] = [predictSetup(programs), totalTraffic(positions.map(createPredictor(programs)))];
  return { rounds: setup.rounds + rest.rounds, bytes: addBytes(setup.bytes, rest.bytes) };
}

/** What some queries of a session send together, the session's setup not included. */
export const totalTraffic = (predictions: readonly Prediction[]): TrafficTotal => ({
  rounds: predictions.reduce((sum, { offline, online }) => sum + offline.rounds + online.rounds, 0),
  bytes: addBytes(noBytes, ...predictions.flatMap(({ offline, online }) => [offline.bytes, online.bytes])),
});

/** What went over a party's links since an earlier look. */
export const trafficSince = (now: MeteredTraffic, before: MeteredTraffic): MeteredTraffic["bytes"] =>
  Object.fromEntries(
    Object.entries(now.bytes).map(([link, count]) => [link, count - (before.bytes[link as Direction] ?? 0)]),
  );

/** Both ends of a link and the cost model must agree, to the byte and the round, in every run. */
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

/** Peak of what this thread's heap and buffers hold; threads of one process share everything else. */
export interface MemoryWatch {
  readonly sample: () => void;
  readonly stop: () => number;
}

const bytesPerMegabyte = 1e6;

export function watchMemory(everyMs = 20): MemoryWatch {
  let peak = 0;
  const sample = (): void => {
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external);
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

/** Looks at the memory whenever a frame passes: between rounds no timer fires. */
export const watchChannel = (channel: Channel, watch: MemoryWatch): Channel => ({
  peer: channel.peer,
  get sent() {
    return channel.sent;
  },
  get received() {
    return channel.received;
  },
  send: (frame, kind) => {
    watch.sample();
    return channel.send(frame, kind);
  },
  receive: async (expected) => {
    const frame = await channel.receive(expected);
    watch.sample();
    return frame;
  },
  close: (reason) => channel.close(reason),
});
