import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sessionError } from "../../runtime/core/index.ts";
import {
  openServer,
  type QueryPosition,
  type QueryResult,
  type ServerInputs,
  type ServerQuery,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import { loadPartyBuild, type PartyBuild, sessionOptions, sha256 } from "../build/index.ts";
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

/**
 * Loads the server's part of a build once, for all sessions of this thread. The handshakes spoke of the build that the
 * service loaded at its start, so nothing else runs: the manifest has the digests of all files.
 * @throws SessionError buildChanged
 */
export async function serverWork(source: Extract<WorkSource, { kind: "server" }>): Promise<SessionWork> {
  const changed = (reason: string): never => {
    throw sessionError("buildChanged", { peer: "server", reason });
  };
  const part = await loadPartyBuild(source.dir, "server", source.adapter).catch((error: unknown) =>
    changed(error instanceof Error ? error.message.split("\n")[0]! : String(error)),
  );
  return part.manifestHash === source.manifestHash ? workOf(part) : changed(otherBuild);
}

const otherBuild = "its folder has another build now";

/** Why a thread that starts now could not serve the build that was loaded, as far as its manifest says. */
export function changeOf({ dir, manifestHash }: PartyBuild): string | undefined {
  try {
    return sha256(readFileSync(join(dir, "manifest.json"))) === manifestHash ? undefined : otherBuild;
  } catch {
    return "its folder has no build now";
  }
}

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
