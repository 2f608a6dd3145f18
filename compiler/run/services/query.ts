import { connect, type Identity } from "../../../runtime/node.ts";
import { SessionError } from "../../../runtime/session/errors.ts";
import { handshake } from "../../../runtime/session/handshake.ts";
import { openClient } from "../../../runtime/session/party-session.ts";
import { predict } from "../../../runtime/session/predict.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { named } from "../../report/names.ts";
import type { TypedTensor } from "../../weights/npy.ts";
import type { Part } from "../build-parts.ts";
import { openClientPart } from "../client-part.ts";
import { assertPredicted, expectedOf, meter, setupRounds, watched, watchMemory } from "../meter.ts";
import { outputsJson, type RunResult, roundTimes, statementOf } from "../result.ts";
import { fieldsOf, newSessionId, purposes } from "./meeting.ts";
import type { Endpoint } from "./service.ts";

export interface QueryOptions {
  readonly part: Part;
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  readonly identity: Identity;
  readonly server: Endpoint;
  readonly dealer: Endpoint;
}

export interface Answer {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  readonly result: RunResult;
}

/** One query to a server, as its client: the measured links are those that this party sees. */
export async function askServer({ part, inputs, identity, server, dealer }: QueryOptions): Promise<Answer> {
  const { manifest, program, tensors } = part;
  const watch = watchMemory();
  const around = await openClientPart(part);
  const channels: Channel[] = [];
  const reach = async (expect: "server" | "dealer", endpoint: Endpoint, purpose: string): Promise<Channel> => {
    const channel = watched(await connect({ ...endpoint, identity, expect, purpose, session }), watch);
    channels.push(channel);
    return channel;
  };
  const session = newSessionId();
  try {
    // A bad input is found before anybody is asked.
    const prepared = await around.before(inputs);
    const atServer = await reach("server", server, purposes.online);
    const atDealer = await reach("dealer", dealer, purposes.correlations);
    const agreement = { program: program.hash, setting: manifest.setting, artefacts: manifest.artefactsHash };
    const mine = fieldsOf(agreement, "client", session);
    await handshake(atServer, mine);
    await handshake(atDealer, mine);
    const party = await openClient({ program, tensors, peer: atServer, dealer: atDealer });
    const { outputs: revealed, rounds, seconds } = await party.query(prepared.shared);
    await party.end();
    const outputs = await around.after(prepared, revealed);
    const predicted = expectedOf(predict(program), 1);
    const { bytes, framingBytes } = meter("client", channels);
    assertPredicted(predicted, [rounds + setupRounds], [{ bytes, framingBytes }]);
    await Promise.all(channels.map((channel) => channel.close()));
    const times = roundTimes(seconds);
    const measured = {
      rounds: rounds + setupRounds,
      bytes,
      framingBytes,
      seconds: times,
      peakMegabytes: { client: watch.stop() },
    };
    const result: RunResult = named(manifest.setting, {
      schema: 1,
      outputs: outputsJson(outputs),
      ...statementOf(manifest),
      queries: 1,
      predicted,
      measured,
    });
    return { outputs, result };
  } catch (error) {
    watch.stop();
    await Promise.all(channels.map((channel) => channel.close(error instanceof SessionError ? error : undefined)));
    throw error;
  } finally {
    await around.release();
  }
}
