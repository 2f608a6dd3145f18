import { counted } from "../../ir/counted.ts";
import { SessionError, sessionError } from "../../runtime/core/index.ts";
import {
  handshake,
  openServer,
  type QueryPosition,
  type ServerInputs,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/node/index.ts";
import { loadPartyBuild, type PartyBuild, sessionOptions } from "../build/index.ts";
import {
  assertTrafficPredicted,
  expectedTraffic,
  meterTraffic,
  openServerExecutor,
  type Residues,
  revealedToServer,
  type ServerExecutor,
  setupRounds,
} from "../run/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { sendProgram } from "./program-frame.ts";
import { type Endpoint, type Service, type ServiceOptions, shortSessionId, startService } from "./service.ts";
import { agreementOf, connectionPurposes, handshakeFields } from "./session-agreement.ts";

export interface ServerOptions extends ServiceOptions {
  readonly dir: string;
  readonly dealer: Endpoint;
  /** The name of the adapter that it uses, if it has several. */
  readonly adapter?: string;
  /** Where the server's own inputs come from, for a program that takes some. */
  readonly inputs?: ServerInputSource;
  /** Moves values beyond their public bounds onto them, and logs how many. */
  readonly clamp?: boolean;
  /** Finds the server's halves of inputs that arrive as shares, for a program that takes some. */
  readonly shares?: (asked: AskedQuery) => Residues;
  /** Called with what each query opened to the server, and with its halves of outputs that stay shared. */
  readonly onAnswer?: (asked: AskedQuery, outputs: NamedTensors, residues: Residues) => void;
  /** The reason for which a query got no input, in one line. */
  readonly reasonOf?: (error: unknown) => string;
}

export interface ServerInputSource {
  /** Finds the inputs for a query; what it throws, only the server's log says. */
  readonly find: (asked: AskedQuery) => Promise<NamedTensors>;
  /** Inputs that are the same in every query: they are tried before the first one. */
  readonly constant?: NamedTensors;
}

/** A query of a session. */
export interface AskedQuery {
  readonly session: string;
  readonly query: number;
  readonly record?: string;
  /** Ids of the values whose halves the query takes over. */
  readonly shares?: readonly string[];
}

type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** The server waits this long for a dealer that is restarting. */
const dealerGraceMs = 2_000;

/** Starts the owner of the weights. It answers clients, one session per connection. */
export async function startServer(options: ServerOptions): Promise<Service> {
  const part = await loadPartyBuild(options.dir, "server", options.adapter);
  const executor = await openServerExecutor(part, { clamp: options.clamp ?? false });
  if (options.inputs?.constant) await executor.prepare(options.inputs.constant);
  const service = await startService(options, ["client"], connectionPurposes.online, (client, session) =>
    serveClient(part, executor, client, session, options),
  );
  return {
    ...service,
    close: async () => {
      await service.close();
      await executor.release();
    },
  };
}

async function serveClient(
  part: PartyBuild,
  executor: ServerExecutor,
  client: Channel,
  session: string,
  options: ServerOptions,
): Promise<void> {
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
    let asked: AskedQuery = { session, query: 0 };
    const inputs: ServerInputs = ({ query, record, shares }) => {
      asked = { session, query, ...(record !== undefined && { record }), ...(shares && { shares }) };
      return ownInputs(asked, executor, options);
    };
    for (let result = await party.serve(inputs); result; result = await party.serve(inputs)) {
      const outputs = revealedToServer(part, result.outputs);
      if (outputs.size + result.residues.size > 0)
        options.onAnswer?.({ ...asked, query: positions.length }, outputs, result.residues);
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

/** The server's integers for a query. Why there are none, is for the server alone to know. */
async function ownInputs(
  asked: AskedQuery,
  executor: ServerExecutor,
  { inputs, shares, log, reasonOf = String }: ServerOptions,
): ReturnType<ServerInputs> {
  let residues: Residues | undefined;
  try {
    residues = shares?.(asked);
  } catch (error) {
    log(`session ${shortSessionId(asked.session)}: no shares for query ${asked.query}: ${reasonOf(error)}`);
    throw sessionError("noOtherHalf", { peer: "server" });
  }
  try {
    if (!inputs) throw new Error("the server was started without inputs of its own");
    const { shared, clamped } = await executor.prepare(await inputs.find(asked), residues);
    for (const [tensor, count] of Object.entries(clamped))
      log(`session ${shortSessionId(asked.session)}: moved ${count} values of ${tensor} onto their public bounds`);
    return shared;
  } catch (error) {
    log(`session ${shortSessionId(asked.session)}: no input for query ${asked.query}: ${reasonOf(error)}`);
    throw sessionError("noServerInput", { peer: "server" });
  }
}
