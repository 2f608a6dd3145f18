import type { WeightStore } from "../../ir/tensor.ts";
import type { BytesByDirection } from "../../runtime/core/steps.ts";
import type { Program } from "../../runtime/program/program.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/tensor.ts";
import { runDealer } from "../../runtime/session/dealer-session.ts";
import { openClient, openServer, type QueryResult } from "../../runtime/session/party-session.ts";
import type { QueryPosition } from "../../runtime/session/requests.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";

/** The weights of a program as integers at the scales that it declares. */
export function integerWeights(program: Program, weights: WeightStore): ReadonlyMap<string, IntTensor> {
  return new Map(
    Object.values(program.weights).map(({ tensor, scale, shape }) => {
      const real = weights.get(tensor) ?? weights.get(tensor.replace(/@\d+$/, ""))!;
      return [
        tensor,
        intTensor(
          shape,
          real.data.map((x) => Math.round(x * 2 ** scale)),
        ),
      ];
    }),
  );
}

export interface SessionRun {
  readonly results: readonly QueryResult[];
  readonly bytes: BytesByDirection;
  /** Bytes sent by the end of each query. */
  readonly after: readonly BytesByDirection[];
  /** What the dealer dealt for, by its own account. */
  readonly dealt: Awaited<ReturnType<typeof runDealer>>;
}

/** A session whose queries continue from the cache of earlier ones. */
export interface SessionChain {
  readonly decodeProgram?: Program;
  readonly shorterPrefills?: readonly Program[];
  /** Position of each query. */
  readonly positions?: readonly QueryPosition[];
}

/** Runs one session of several queries, with all three parties in this process over memory channels. */
export async function runSession(
  program: Program,
  tensors: ReadonlyMap<string, IntTensor>,
  queries: readonly Readonly<Record<string, IntTensor>>[],
  wrap: (channel: Channel) => Channel = (channel) => channel,
  { decodeProgram, shorterPrefills = [], positions = [] }: SessionChain = {},
): Promise<SessionRun> {
  const [clientServer, serverClient] = memoryPair("client", "server");
  const [clientDealer, dealerClient] = memoryPair("client", "dealer");
  const [serverDealer, dealerServer] = memoryPair("server", "dealer");
  const channels = [clientServer, serverClient, dealerClient, dealerServer, serverDealer, clientDealer].map(wrap);
  const [client, server, toClient, toServer, toDealer, fromClient] = channels as [
    Channel,
    Channel,
    Channel,
    Channel,
    Channel,
    Channel,
  ];
  const sent = (): BytesByDirection => ({
    "client→server": client.sent.payloadBytes,
    "server→client": server.sent.payloadBytes,
    "client→dealer": fromClient.sent.payloadBytes,
    "server→dealer": toDealer.sent.payloadBytes,
    "dealer→server": toServer.sent.payloadBytes,
    "dealer→client": toClient.sent.payloadBytes,
  });
  const programs = { program, ...(decodeProgram && { decodeProgram }), shorterPrefills };
  const dealer = runDealer(program, { client: toClient, server: toServer }, decodeProgram, shorterPrefills);
  const asServer = (async () => {
    const session = await openServer({ ...programs, tensors, peer: server, dealer: toDealer });
    while (await session.serve());
  })();
  const after: BytesByDirection[] = [];
  const asClient = (async () => {
    const session = await openClient({ ...programs, tensors, peer: client, dealer: fromClient });
    const results: QueryResult[] = [];
    for (const [k, inputs] of queries.entries()) {
      results.push(await session.query(inputs, positions[k]));
      after.push(sent());
    }
    await session.end();
    return results;
  })();
  const [results, , dealt] = await Promise.all([asClient, asServer, dealer]);
  return { results, bytes: sent(), after, dealt };
}
