import { connect } from "../../../runtime/node.ts";
import { SessionError } from "../../../runtime/session/errors.ts";
import { handshake } from "../../../runtime/session/handshake.ts";
import { openServer } from "../../../runtime/session/party-session.ts";
import { predict } from "../../../runtime/session/predict.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { loadPart, type Part } from "../build-parts.ts";
import { assertPredicted, expectedOf, meter, setupRounds } from "../meter.ts";
import { fieldsOf, purposes } from "./meeting.ts";
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
  const { manifest, program, tensors, mir } = part;
  const { dealer: endpoint, identity, log } = options;
  let dealer: Channel | undefined;
  try {
    const agreement = { program: program.hash, setting: manifest.setting, artefacts: manifest.artefactsHash };
    const mine = fieldsOf(agreement, "server", session);
    await handshake(client, mine);
    const purpose = purposes.correlations;
    const patience = { patienceMs: dealerPatienceMs };
    dealer = await connect({ ...endpoint, ...patience, identity, expect: "dealer", purpose, session });
    await sendProgram(dealer, agreement, mir);
    await handshake(dealer, mine);
    const party = await openServer({ program, tensors, peer: client, dealer });
    let queries = 0;
    let rounds = setupRounds;
    for (let result = await party.serve(); result; result = await party.serve()) {
      queries += 1;
      rounds += result.rounds;
    }
    assertPredicted(expectedOf(predict(program), queries), [rounds], [meter("server", [client, dealer])]);
    log(`session ${shortId(session)}: answered ${queries} queries`);
    await Promise.all([client.close(), dealer.close()]);
  } catch (error) {
    const reason = error instanceof SessionError ? error : undefined;
    await Promise.all([client.close(reason), dealer?.close(reason)]);
    throw error;
  }
}
