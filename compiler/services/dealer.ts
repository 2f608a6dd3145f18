import { SessionError, sessionError } from "../../runtime/core/index.ts";
import { handshake, runDealer } from "../../runtime/session/index.ts";
import { assertPredicted, expectedOf, meter } from "../run/index.ts";
import { fieldsOf, meetingTimeoutMs, purposes } from "./meeting.ts";
import { createPairing, type Pair } from "./pairing.ts";
import { receiveProgram } from "./program-frame.ts";
import { type Service, type ServiceOptions, shortId, startService } from "./service.ts";

const mostWaiting = 64;

export interface DealerOptions extends ServiceOptions {
  /** How long a party waits for the other one of its session. */
  readonly meetingMs?: number;
  /** The most that one query of a server's program may take of correlations; default 4 GB. */
  readonly maxDealtBytes?: number;
}

/** The dealer: brings the two parties of each session together and deals for them; it keeps nothing between sessions. */
export async function startDealer(options: DealerOptions): Promise<Service> {
  const { meetingMs = meetingTimeoutMs } = options;
  const pairing = createPairing({
    timeoutMs: meetingMs,
    most: mostWaiting,
    onAlone: (session, channel) => {
      const missing = channel.peer === "client" ? "server" : "client";
      options.log(`session ${shortId(session)}: the ${missing} did not come`);
      const doing = "waiting for the other party";
      void channel.close(sessionError("timeout", { peer: missing, seconds: meetingMs / 1000, doing }));
    },
  });
  const service = await startService(options, ["client", "server"], purposes.correlations, async (channel, session) => {
    const pair = pairing.join(session, channel);
    if (pair) await deal(pair, session, options);
  });
  return {
    ...service,
    close: async () => {
      pairing.close();
      await service.close();
    },
  };
}

async function deal(pair: Pair, session: string, { log, maxDealtBytes }: DealerOptions): Promise<void> {
  try {
    const { agreement, programs } = await receiveProgram(pair.server, maxDealtBytes);
    const mine = fieldsOf(agreement, "dealer", session);
    // Each compares its own program's hash with that of the text: all three run the same or nothing is dealt.
    await Promise.all([handshake(pair.server, mine), handshake(pair.client, mine)]);
    const [program, next, ...windows] = programs;
    const { queries, asked } = await runDealer(program, pair, next, windows);
    assertPredicted(expectedOf(programs, asked), [], [meter("dealer", [pair.client, pair.server])]);
    log(`session ${shortId(session)}: dealt for ${queries} queries of ${program.name}`);
    await Promise.all([pair.client.close(), pair.server.close()]);
  } catch (error) {
    const reason = error instanceof SessionError ? error : undefined;
    await Promise.all([pair.client.close(reason), pair.server.close(reason)]);
    throw error;
  }
}
