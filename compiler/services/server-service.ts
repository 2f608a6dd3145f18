import { counted } from "../../ir/counted.ts";
import { SessionError } from "../../runtime/core/index.ts";
import { handshake, openServer, type QueryPosition, sessionPrograms } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/node/index.ts";
import { loadPartyBuild, type PartyBuild, sessionOptions } from "../build/index.ts";
import { assertTrafficPredicted, expectedTraffic, meterTraffic, setupRounds } from "../run/index.ts";
import { sendProgram } from "./program-frame.ts";
import { type Endpoint, type Service, type ServiceOptions, shortSessionId, startService } from "./service.ts";
import { agreementOf, connectionPurposes, handshakeFields } from "./session-agreement.ts";

export interface ServerOptions extends ServiceOptions {
  readonly dir: string;
  readonly dealer: Endpoint;
}

/** The server waits this long for a dealer that is restarting. */
const dealerGraceMs = 2_000;

/** Starts the owner of the weights. It answers clients, one session per connection. */
export async function startServer(options: ServerOptions): Promise<Service> {
  const part = await loadPartyBuild(options.dir, "server");
  return startService(options, ["client"], connectionPurposes.online, (client, session) =>
    serveClient(part, client, session, options),
  );
}

async function serveClient(part: PartyBuild, client: Channel, session: string, options: ServerOptions): Promise<void> {
  const { mir, decodeMir, bucketMirs } = part;
  const opening = sessionOptions(part);
  const { dealer: endpoint, identity, log } = options;
  let dealer: Channel | undefined;
  try {
    const agreement = agreementOf(part);
    const mine = handshakeFields(agreement, "server", session);
    await handshake(client, mine);
    const purpose = connectionPurposes.correlations;
    const patience = { patienceMs: dealerGraceMs };
    dealer = await connect({ ...endpoint, ...patience, identity, expect: "dealer", purpose, session });
    await sendProgram(dealer, agreement, mir, decodeMir === undefined ? [] : [decodeMir, ...bucketMirs]);
    await handshake(dealer, mine);
    const party = await openServer({ ...opening, peer: client, dealer });
    const positions: QueryPosition[] = [];
    let rounds = setupRounds;
    for (let result = await party.serve(); result; result = await party.serve()) {
      positions.push(result.at);
      rounds += result.rounds;
    }
    assertTrafficPredicted(
      expectedTraffic(sessionPrograms(opening), positions),
      [rounds],
      [meterTraffic("server", [client, dealer])],
    );
    log(`session ${shortSessionId(session)}: answered ${counted(positions.length, "query", "queries")}`);
    await Promise.all([client.close(), dealer.close()]);
  } catch (error) {
    const reason = error instanceof SessionError ? error : undefined;
    await Promise.all([client.close(reason), dealer?.close(reason)]);
    throw error;
  }
}
