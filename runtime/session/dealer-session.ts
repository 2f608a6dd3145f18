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
 * The dealer's side of one session: seeds to both, the hidden weights from the server, then for each query that the
 * server asks for one frame of corrections per segment of the program, as far ahead as they will be read; where the
 * program has it compute, its part of the query follows. Ends when the server says so. No query is dealt twice. `following`
 * goes on from what the program keeps; of that the dealer has the masks, and deals products of old ones with new ones.
 * `windows`: programs of shorter windows, which keep the same.
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
            if (frame.length !== due) throw new Error(`dealt the ${to} ${frame.length} bytes where ${due} are due`);
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
