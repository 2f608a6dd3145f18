import {
  openServer,
  type QueryPosition,
  type QueryResult,
  type ServerInputs,
  type ServerQuery,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import { loadPartyBuild, type PartyBuild, sessionOptions } from "../build/index.ts";
import { expectedTraffic, setupRounds, type TrafficTotal } from "../run/index.ts";
import type { SessionWork, WorkSource } from "./session-work.ts";

/** What a session of the server asks the thread that answers peers. */
export type ServerQuestion =
  | { readonly kind: "inputs"; readonly asked: ServerQuery }
  | { readonly kind: "answered"; readonly query: number; readonly asked?: ServerQuery; readonly result: QueryResult };

/** What a session of the server computed. */
export interface ServedSession {
  readonly queries: number;
  readonly rounds: number;
  readonly expected: TrafficTotal;
}

/** Loads the server's part of a build once, for all sessions of this thread. */
export const serverWork = async ({ dir, adapter }: Extract<WorkSource, { kind: "server" }>): Promise<SessionWork> =>
  workOf(await loadPartyBuild(dir, "server", adapter));

/** Serves the queries of one session, after the handshakes. */
export const workOf =
  (part: PartyBuild): SessionWork =>
  async (_, { client, dealer }, ask): Promise<ServedSession> => {
    const opening = sessionOptions(part);
    const party = await openServer({ ...opening, peer: client!, dealer: dealer! });
    const positions: QueryPosition[] = [];
    let rounds = setupRounds;
    let last: ServerQuery | undefined;
    const inputs: ServerInputs = async (asked) => {
      last = asked;
      return (await ask({ kind: "inputs", asked } satisfies ServerQuestion)) as Awaited<ReturnType<ServerInputs>>;
    };
    for (let result = await party.serve(inputs); result; result = await party.serve(inputs)) {
      const query = positions.length;
      await ask({ kind: "answered", query, ...(last && { asked: last }), result } satisfies ServerQuestion);
      positions.push(result.at);
      rounds += result.rounds;
    }
    return { queries: positions.length, rounds, expected: expectedTraffic(sessionPrograms(opening), positions) };
  };
