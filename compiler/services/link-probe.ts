import { SessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";

/** Longest probe frame of `doctor`; the answer to each probe is one byte. */
export const maxProbeBytes = 2 ** 22;
const maxProbes = 64;

/** Answers a peer that measures the link, until it leaves. */
export async function answerProbes(channel: Channel): Promise<void> {
  try {
    for (let probe = 0; probe < maxProbes; probe++) {
      await channel.receive({ kind: "control", maxBytes: maxProbeBytes, timeoutMs: 10_000 });
      await channel.send(Uint8Array.of(1), "control");
    }
  } catch (error) {
    // The peer leaves when it is done.
    if (!(error instanceof SessionError)) throw error;
  } finally {
    await channel.close();
  }
}

const pingCount = 5;

export interface LinkMeasurement {
  readonly roundTripMs: number;
  readonly mbitPerSecond: number;
}

/** Measures a link roughly: the shortest of a few round trips, and one long frame to the peer. */
export async function measureLink(channel: Channel): Promise<LinkMeasurement> {
  const exchange = async (bytes: number): Promise<number> => {
    const started = performance.now();
    await channel.send(new Uint8Array(bytes), "control");
    await channel.receive({ kind: "control", exactBytes: 1, timeoutMs: 60_000 });
    return performance.now() - started;
  };
  let roundTripMs = Number.POSITIVE_INFINITY;
  for (let ping = 0; ping < pingCount; ping++) roundTripMs = Math.min(roundTripMs, await exchange(1));
  const elapsedMs = Math.max(0.01, (await exchange(maxProbeBytes)) - roundTripMs);
  return { roundTripMs, mbitPerSecond: (maxProbeBytes * 8) / 1e3 / elapsedMs };
}
