import { freshSeed, sessionError } from "../core/index.ts";
import { createCorrelationStore, dealerParty, onlineDealerParty } from "../correlations/index.ts";
import { type HeldWeight, type Program, toolbox } from "../program/index.ts";
import type { Channel } from "../transport/index.ts";
import { sessionPrograms } from "./party-session.ts";
import { createPatience, type Patience } from "./patience.ts";
import { createPredictor, metaInputs } from "./predict.ts";
import { decodeRequest, maxRequestBytes, programAt, type QueryPosition } from "./requests.ts";
import { runOffline, runOnline } from "./run-steps.ts";
import { cacheInputs, emptyCache, metaCache, type SessionCache, updateCache, weightsAt } from "./session-cache.ts";
import { concatBytes, hiddenBytes, sessionWeights, setUpWeights } from "./session-weights.ts";

interface DealerChannels {
  readonly client: Channel;
  readonly server: Channel;
}

/**
 * Runs the dealer's side of one session until the server ends it. It sends a seed to each party and receives the hidden
 * weights from the server. For each query that the server asks for, it sends one frame of corrections per segment of
 * the program, as far ahead as the parties read them; in the three-party setting it then computes its part of the
 * query. No query is dealt twice. `decodeProgram` continues from the cache: the dealer holds the masks of the cached
 * values and deals their products with the new ones. `shorterPrefills`: programs of shorter sequence lengths with the
 * same cache.
 * @throws SessionError if a channel fails, or if a request is malformed, repeated or at a wrong position.
 */
export async function runDealer(
  program: Program,
  channels: DealerChannels,
  decodeProgram?: Program,
  shorterPrefills: readonly Program[] = [],
): Promise<{ readonly queries: number; readonly asked: readonly QueryPosition[] }> {
  const session = await setUpDealer(
    sessionPrograms({ program, ...(decodeProgram && { decodeProgram, shorterPrefills }) }),
    channels,
  );
  const asked: QueryPosition[] = [];
  let cache = emptyCache;
  let extraMs = 0;
  for (let next = 0; ; next++) {
    // The other two compute and talk, and the dealer waits for as long as that may take.
    const frame = await channels.server.receive({ kind: "control", maxBytes: maxRequestBytes, extraMs });
    const request = decodeRequest(frame, "server");
    if (request.kind === "end") return { queries: next, asked };
    if (request.query !== next) throw sessionError("reusedCorrelation", { query: request.query, consumed: next - 1 });
    asked.push(request.at);
    cache = await dealQuery(session, request, cache);
    extraMs = session.patience.queryMs(session.predicted(request.at));
  }
}

/** What stays the same in a session. */
interface DealerSession {
  readonly programs: readonly Program[];
  readonly channels: DealerChannels;
  readonly patience: Patience;
  readonly weights: ReturnType<typeof sessionWeights>;
  readonly predicted: ReturnType<typeof createPredictor>;
  readonly clientSeed: Uint8Array;
  readonly serverSeed: Uint8Array;
  readonly handles: Readonly<Record<string, HeldWeight>>;
}

/** Sends a seed to each party, and receives the hidden weights from the server. */
async function setUpDealer(programs: readonly Program[], channels: DealerChannels): Promise<DealerSession> {
  const weights = sessionWeights(programs);
  const predicted = createPredictor(programs);
  const clientSeed = freshSeed();
  const serverSeed = freshSeed();
  await channels.client.send(clientSeed.slice());
  await channels.server.send(serverSeed.slice());
  const received = await channels.server.receive({ exactBytes: hiddenBytes(weights.weights) });
  const { handles } = setUpWeights("dealer", weights.weights, { serverSeed, received });
  const patience = createPatience(Object.values(channels));
  return {
    programs,
    channels: patience.around(channels),
    patience,
    weights,
    predicted,
    clientSeed,
    serverSeed,
    handles,
  };
}

/** Deals one query, takes part in it where the program has the dealer compute, and returns the new cache. */
async function dealQuery(
  session: DealerSession,
  request: { readonly query: number; readonly at: QueryPosition },
  cache: SessionCache,
): Promise<SessionCache> {
  const { clientSeed, serverSeed, channels } = session;
  const { at } = request;
  const program = programAt(session.programs, at, cache.rows, "server");
  const predicted = session.predicted(at);
  const { segments, dealerComputes } = predicted;
  session.patience.begin(predicted);
  const weights = weightsAt(program, session.weights.of(at.program, session.handles), at.position);
  const frames = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  const store = createCorrelationStore();
  const party = dealerParty({
    clientSeed,
    serverSeed,
    query: request.query,
    sendToServer: (_, packed) => frames.server.push(packed),
    sendToClient: (_, packed) => frames.client.push(packed),
    store,
  });
  const steps = program.body(toolbox, party, metaInputs(program), weights, cacheInputs(program, cache));
  const dealt = await runOffline(steps, {
    after: async (segment) => {
      for (const to of ["server", "client"] as const) {
        await sendSegment(to, concatBytes(frames[to].splice(0)), segments[to][segment], channels);
      }
    },
  });
  if (dealerComputes) {
    const online = onlineDealerParty(store);
    const part = program.body(toolbox, online, metaInputs(program), weights, metaCache(program, at.position));
    await runOnline(part, "dealer", channels, () => {});
  }
  session.patience.end();
  return updateCache(program, cache, dealt, at.position);
}

/** Sends a party its frame of one segment, if it has bytes. */
async function sendSegment(
  to: keyof DealerChannels,
  frame: Uint8Array,
  expected: number | undefined,
  channels: DealerChannels,
): Promise<void> {
  if (frame.length !== expected) {
    throw new Error(`internal error: dealt the ${to} ${frame.length} bytes, expected ${expected}`);
  }
  if (frame.length > 0) await channels[to].send(frame);
}
