import { freshSeed, sessionError } from "../core/index.ts";
import { createCorrelationStore, dealerParty, onlineDealerParty } from "../correlations/index.ts";
import type { Program } from "../program/index.ts";
import { toolbox } from "../program/index.ts";
import type { Channel } from "../transport/index.ts";
import { createPredictor, metaInputs } from "./predict.ts";
import { decodeRequest, maxRequestBytes, programAt, type QueryPosition } from "./requests.ts";
import { runOffline, runOnline } from "./run-steps.ts";
import { cacheInputs, emptyCache, metaCache, updateCache, weightsAt } from "./session-cache.ts";
import { concatBytes, hiddenBytes, sessionWeights, setUpWeights } from "./session-weights.ts";

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
  channels: { readonly client: Channel; readonly server: Channel },
  decodeProgram?: Program,
  shorterPrefills: readonly Program[] = [],
): Promise<{ readonly queries: number; readonly asked: readonly QueryPosition[] }> {
  const programs = decodeProgram ? [program, decodeProgram, ...shorterPrefills] : [program];
  const all = sessionWeights(programs);
  const predicted = createPredictor(programs);
  const clientSeed = freshSeed();
  const serverSeed = freshSeed();
  await channels.client.send(clientSeed.slice());
  await channels.server.send(serverSeed.slice());
  const hidden = await channels.server.receive({ exactBytes: hiddenBytes(all.weights) });
  const { handles } = setUpWeights("dealer", all.weights, { serverSeed, received: hidden });
  const questions: QueryPosition[] = [];
  let memory = emptyCache;

  for (let next = 0; ; next++) {
    const frame = await channels.server.receive({ kind: "control", maxBytes: maxRequestBytes });
    const request = decodeRequest(frame, "server");
    if (request.kind === "end") return { queries: next, asked: questions };
    if (request.query !== next) throw sessionError("reusedCorrelation", { query: request.query, consumed: next - 1 });
    const { at } = request;
    questions.push(at);
    const current = programAt(programs, at, memory.rows, "server");
    const { segments, dealerComputes } = predicted(at);
    const weights = weightsAt(current, all.of(at.program, handles), at.position);
    const frames = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
    const store = createCorrelationStore();
    const party = dealerParty({
      clientSeed,
      serverSeed,
      query: next,
      sendToServer: (_, packed) => frames.server.push(packed),
      sendToClient: (_, packed) => frames.client.push(packed),
      store,
    });
    const dealt = await runOffline(
      current.body(toolbox, party, metaInputs(current), weights, cacheInputs(current, memory)),
      {
        after: async (index) => {
          for (const to of ["server", "client"] as const) {
            const frame = concatBytes(frames[to]);
            frames[to] = [];
            const due = segments[to][index];
            if (frame.length !== due)
              throw new Error(`internal error: dealt the ${to} ${frame.length} bytes, expected ${due}`);
            if (frame.length > 0) await channels[to].send(frame);
          }
        },
      },
    );
    if (dealerComputes) {
      const cache = metaCache(current, at.position);
      const steps = current.body(toolbox, onlineDealerParty(store), metaInputs(current), weights, cache);
      await runOnline(steps, "dealer", channels, () => {});
    }
    memory = updateCache(current, memory, dealt, at.position);
  }
}
