import { counted } from "../../ir/counted.ts";
import { SessionError, sessionError } from "../../runtime/core/index.ts";
import { handshake, runDealer } from "../../runtime/session/index.ts";
import { assertTrafficPredicted, expectedTraffic, meterTraffic } from "../run/index.ts";
import { createPairing, type PartyPair } from "./pairing.ts";
import { receiveProgram } from "./program-frame.ts";
import { type Service, type ServiceOptions, shortSessionId, startService } from "./service.ts";
import { connectionPurposes, handshakeFields, pairingTimeoutMs } from "./session-agreement.ts";

const maxWaiting = 64;

export interface DealerOptions extends ServiceOptions {
  /** Milliseconds that a party waits for the other one of its session. */
  readonly pairingMs?: number;
  /** Limit on the bytes of correlations for one query of a server's program; default 4 GB. */
  readonly maxDealtBytes?: number;
}

/** Starts the dealer. It pairs the two parties of each session and deals for them; it keeps nothing between sessions. */
export async function startDealer(options: DealerOptions): Promise<Service> {
  const { pairingMs = pairingTimeoutMs } = options;
  const pairing = createPairing({
    timeoutMs: pairingMs,
    most: maxWaiting,
    onAlone: (session, channel) => {
      const missing = channel.peer === "client" ? "server" : "client";
      options.log(`session ${shortSessionId(session)}: the ${missing} did not come`);
      const doing = "waiting for the other party";
      void channel.close(sessionError("timeout", { peer: missing, seconds: pairingMs / 1000, doing }));
    },
  });
  const service = await startService(
    options,
    ["client", "server"],
    connectionPurposes.correlations,
    async (channel, session) => {
      const pair = pairing.join(session, channel);
      if (pair) await serveSession(pair, session, options);
    },
  );
  return {
    ...service,
    close: async () => {
      pairing.close();
      await service.close();
    },
  };
}

async function serveSession(pair: PartyPair, session: string, { log, maxDealtBytes }: DealerOptions): Promise<void> {
  try {
    const { agreement, programs } = await receiveProgram(pair.server, maxDealtBytes);
    const mine = handshakeFields(agreement, "dealer", session);
    // Each party compares its program's hash with that of the received text: unless all agree, the dealer deals nothing.
    await Promise.all([handshake(pair.server, mine), handshake(pair.client, mine)]);
    const [program, next, ...windows] = programs;
    const { queries, asked } = await runDealer(program, pair, next, windows);
    assertTrafficPredicted(expectedTraffic(programs, asked), [], [meterTraffic("dealer", [pair.client, pair.server])]);
    log(`session ${shortSessionId(session)}: dealt for ${counted(queries, "query", "queries")} of ${program.name}`);
    await Promise.all([pair.client.close(), pair.server.close()]);
  } catch (error) {
    const reason = error instanceof SessionError ? error : undefined;
    await Promise.all([pair.client.close(reason), pair.server.close(reason)]);
    throw error;
  }
}
