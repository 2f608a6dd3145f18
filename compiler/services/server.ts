import { SessionError } from "../../runtime/core/index.ts";
import { type Asked, handshake, openServer, programsOf } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/tls.ts";
import { loadPart, openingOf, type Part } from "../build/index.ts";
import { assertPredicted, expectedOf, meter, setupRounds } from "../run/index.ts";
import { agreementOf, fieldsOf, purposes } from "./meeting.ts";
import { sendProgram } from "./program-frame.ts";
import { type Endpoint, type Service, type ServiceOptions, shortId, startService } from "./service.ts";

export interface ServerOptions extends ServiceOptions {
  readonly dir: string;
  readonly dealer: Endpoint;
}

/** A dealer that is just being started again is waited for. */
const dealerPatienceMs = 2_000;

/** The owner of the weights: answers clients, one session per connection. */
export async function startServer(options: ServerOptions): Promise<Service> {
  const part = await loadPart(options.dir, "server");
  return startService(options, ["client"], purposes.online, (client, session) => serve(part, client, session, options));
}

async function serve(part: Part, client: Channel, session: string, options: ServerOptions): Promise<void> {
  const { mir, decodeMir, windowMirs } = part;
  const opening = openingOf(part);
  const { dealer: endpoint, identity, log } = options;
  let dealer: Channel | undefined;
  try {
    const agreement = agreementOf(part);
    const mine = fieldsOf(agreement, "server", session);
    await handshake(client, mine);
    const purpose = purposes.correlations;
    const patience = { patienceMs: dealerPatienceMs };
    dealer = await connect({ ...endpoint, ...patience, identity, expect: "dealer", purpose, session });
    await sendProgram(dealer, agreement, mir, decodeMir === undefined ? [] : [decodeMir, ...windowMirs]);
    await handshake(dealer, mine);
    const party = await openServer({ ...opening, peer: client, dealer });
    const asked: Asked[] = [];
    let rounds = setupRounds;
    for (let result = await party.serve(); result; result = await party.serve()) {
      asked.push(result.asked);
      rounds += result.rounds;
    }
    assertPredicted(expectedOf(programsOf(opening), asked), [rounds], [meter("server", [client, dealer])]);
    log(`session ${shortId(session)}: answered ${asked.length} queries`);
    await Promise.all([client.close(), dealer.close()]);
  } catch (error) {
    const reason = error instanceof SessionError ? error : undefined;
    await Promise.all([client.close(reason), dealer?.close(reason)]);
    throw error;
  }
}
