import { counted } from "../../ir/counted.ts";
import { type SessionError, sessionError } from "../../runtime/core/index.ts";
import { type HandshakeFields, handshake, type ServerInputs } from "../../runtime/session/index.ts";
import { type Channel, defaultMostWaitMs } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import { loadPartyBuild, type PartyBuild } from "../build/index.ts";
import {
  assertTrafficPredicted,
  meterTraffic,
  openServerExecutor,
  type Residues,
  revealedToServer,
  type ServerExecutor,
} from "../run/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type Admission, createAdmission } from "./admission.ts";
import { askToWait } from "./ask-to-wait.ts";
import { sendProgram } from "./program-frame.ts";
import { changeOf, type ServedSession, type ServerQuestion, workOf } from "./server-work.ts";
import {
  type Arrival,
  type Endpoint,
  type Service,
  type ServiceOptions,
  secondsSince,
  shortSessionId,
  startService,
  tell,
  withCleanup,
} from "./service.ts";
import { limitsOf, type ServiceLimits } from "./service-limits.ts";
import type { LogLevel } from "./service-log.ts";
import { agreementOf, connectionPurposes, handshakeFields, pairingTimeoutMs } from "./session-agreement.ts";
import { guardSession, type SessionGuard } from "./session-guard.ts";
import { createSessionPool, inlinePool, reasonOf, type SessionPool } from "./session-pool.ts";
import { whileThere } from "./while-there.ts";

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
/** And this long for its turn at a dealer that has other sessions to deal for. */
const dealerTurnMs = 600_000;

/** What all sessions of a running server have in common. */
interface Server {
  readonly part: PartyBuild;
  readonly executor: ServerExecutor;
  readonly limits: ServiceLimits;
  readonly admission: Admission;
  readonly pool: SessionPool;
  readonly options: ServerOptions;
  /** The key that it shows the dealer now. */
  readonly identity: () => Identity;
}

/** Starts the owner of the weights. It answers clients, one session per connection. */
export async function startServer(options: ServerOptions): Promise<Service> {
  const { dir, adapter } = options;
  const part = await loadPartyBuild(dir, "server", adapter);
  const executor = await openServerExecutor(part, { clamp: options.clamp ?? false });
  if (options.inputs?.constant) await executor.prepare(options.inputs.constant);
  const limits = limitsOf(options.limits);
  const admission = createAdmission(limits, "server");
  const { manifestHash } = part;
  const source = { kind: "server", dir, manifestHash, ...(adapter !== undefined && { adapter }) } as const;
  const pool = limits.workers > 0 ? createSessionPool(source, limits.workers) : inlinePool(workOf(part));
  let { identity } = options;
  const server: Server = { part, executor, limits, admission, pool, options, identity: () => identity };
  const service = await startService(options, limits, {
    accepts: ["client"],
    purpose: connectionPurposes.online,
    onSession: (arrival) => serveClient(server, arrival),
    counts: admission.counts,
    obstacle: () => changeOf(part),
  });
  const cleanup = async (): Promise<void> => {
    await pool.close();
    await executor.release();
  };
  return {
    ...withCleanup(service, cleanup),
    replaceIdentity: async (next) => {
      await service.replaceIdentity(next);
      identity = next;
    },
  };
}

/** Serves a client that has come: its turn comes first, then the dealer, then the queries. */
async function serveClient(server: Server, arrival: Arrival): Promise<void> {
  const { part, admission, limits, options } = server;
  const { channel: client, session, identity, peer, address } = arrival;
  const startedMs = performance.now();
  const links: Channel[] = [client];
  const stop = async (reason?: SessionError): Promise<void> => {
    await Promise.all(links.map((link) => link.close(reason)));
  };
  let guard: SessionGuard | undefined;
  try {
    const mine = handshakeFields(agreementOf(part), "server", session);
    await handshake(client, mine, {
      timeoutMs: pairingTimeoutMs,
      beforeAnswer: async () => {
        const drop = (reason: SessionError): void => void stop(reason);
        const turn = await admission.enter({ identity, left: client.left, drop });
        guard = guardSession(limits, admission, turn, drop);
      },
    });
    // Who agrees here and never comes to the dealer, or waits for its turn there, keeps nobody from computing.
    const dealer = await guard!.whileWaiting(reachDealer(server, client, session, mine));
    links.push(dealer);
    const { queries, rounds, expected } = await server.pool.run<ServedSession>(undefined, {
      channels: { client: guard!.around(client, true), dealer: guard!.around(dealer, false) },
      onCompute: guard!.onCompute,
      ask: (question) => answerOwnWork(server, session, question as ServerQuestion),
    });
    assertTrafficPredicted(expected, [rounds], [meterTraffic("server", [client, dealer])]);
    const about = { session: shortSessionId(session), peer, address, queries, seconds: secondsSince(startedMs) };
    const line = `session ${about.session}: answered ${counted(queries, "query", "queries")} of ${peer}`;
    tell(options, line, { event: "answered", ...about });
    await stop();
  } catch (error) {
    await stop(reasonOf(error));
    throw error;
  } finally {
    guard?.end();
  }
}

/** Connects to the dealer, and waits there for the session's turn as long as the client does. */
async function reachDealer(
  { part, options, identity }: Server,
  client: Channel,
  session: string,
  mine: HandshakeFields,
): Promise<Channel> {
  const { mir, decodeMir, bucketMirs } = part;
  const { dealer: endpoint } = options;
  const purpose = connectionPurposes.correlations;
  const dealer = await connect({
    ...endpoint,
    patienceMs: dealerGraceMs,
    mostWaitMs: defaultMostWaitMs,
    // The client hears nothing from this party meanwhile.
    onWait: () => void askToWait(client),
    identity: identity(),
    expect: "dealer",
    purpose,
    session,
  });
  try {
    await sendProgram(dealer, agreementOf(part), mir, decodeMir === undefined ? [] : [decodeMir, ...bucketMirs]);
    await whileThere(client, handshake(dealer, mine, { timeoutMs: dealerTurnMs }));
    return dealer;
  } catch (error) {
    await dealer.close(reasonOf(error));
    throw error;
  }
}

/** What only this thread has: the server's own inputs, and whoever wants the outputs. */
async function answerOwnWork(
  { part, executor, options }: Server,
  session: string,
  question: ServerQuestion,
): Promise<unknown> {
  const { query = 0, record, shares } = question.asked ?? {};
  const subject = { ...(record !== undefined && { record }), ...(shares && { shares }) };
  const asked: AskedQuery = { session, query, ...subject };
  if (question.kind === "inputs") return await ownInputs(asked, executor, options);
  const { outputs: integers, residues } = question.result;
  const outputs = revealedToServer(part, integers);
  if (outputs.size + residues.size > 0) options.onAnswer?.({ ...asked, query: question.query }, outputs, residues);
  return undefined;
}

/** The server's integers for a query. Why there are none, is for the server alone to know. */
async function ownInputs(
  asked: AskedQuery,
  executor: ServerExecutor,
  { inputs, shares, reasonOf = String, ...options }: ServerOptions,
): ReturnType<ServerInputs> {
  const session = shortSessionId(asked.session);
  const note = (line: string, level: LogLevel): void =>
    tell(options, `session ${session}: ${line}`, { event: "input", level, session });
  let residues: Residues | undefined;
  try {
    residues = shares?.(asked);
  } catch (error) {
    note(`no shares for query ${asked.query}: ${reasonOf(error)}`, "warn");
    throw sessionError("noOtherHalf", { peer: "server" });
  }
  try {
    if (!inputs) throw new Error("the server was started without inputs of its own");
    const { shared, clamped } = await executor.prepare(await inputs.find(asked), residues);
    for (const [tensor, count] of Object.entries(clamped))
      note(`moved ${count} values of ${tensor} onto their public bounds`, "info");
    return shared;
  } catch (error) {
    note(`no input for query ${asked.query}: ${reasonOf(error)}`, "warn");
    throw sessionError("noServerInput", { peer: "server" });
  }
}
