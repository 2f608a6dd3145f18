import { freshSeed, sessionError } from "../core/index.ts";
import { createStock, dealerOnline, dealerParty } from "../correlations/index.ts";
import type { Program } from "../program/index.ts";
import { toolbox } from "../program/index.ts";
import type { Channel } from "../transport/index.ts";
import { type Asked, decodeRequest, maxRequestBytes, programAsked } from "./control.ts";
import { runOnline, runSegments } from "./exchange.ts";
import { atPlace, ghostKept, keptFor, nothingKept, remember } from "./memory.ts";
import { ghostInputs, predictions } from "./predict.ts";
import { concatBytes, hiddenBytes, sessionWeights, weightHandles } from "./weights.ts";

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
  following?: Program,
  windows: readonly Program[] = [],
): Promise<{ readonly queries: number; readonly asked: readonly Asked[] }> {
  const programs = following ? [program, following, ...windows] : [program];
  const all = sessionWeights(programs);
  const predicted = predictions(programs);
  const clientSeed = freshSeed();
  const serverSeed = freshSeed();
  await channels.client.send(clientSeed.slice());
  await channels.server.send(serverSeed.slice());
  const hidden = await channels.server.receive({ exactBytes: hiddenBytes(all.weights) });
  const { handles } = weightHandles("dealer", all.weights, { serverSeed, received: hidden });
  const questions: Asked[] = [];
  let memory = nothingKept;

  for (let next = 0; ; next++) {
    const frame = await channels.server.receive({ kind: "control", maxBytes: maxRequestBytes });
    const request = decodeRequest(frame, "server");
    if (request.kind === "end") return { queries: next, asked: questions };
    if (request.query !== next) throw sessionError("reusedCorrelation", { query: request.query, consumed: next - 1 });
    const { asked } = request;
    questions.push(asked);
    const current = programAsked(programs, asked, memory.rows, "server");
    const { segments, dealerComputes } = predicted(asked);
    const weights = atPlace(current, all.of(asked.program, handles), asked.place);
    const frames = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
    const stock = createStock();
    const party = dealerParty({
      clientSeed,
      serverSeed,
      query: next,
      emit: (_, packed) => frames.server.push(packed),
      emitToClient: (_, packed) => frames.client.push(packed),
      stock,
    });
    const dealt = await runSegments(
      current.body(toolbox, party, ghostInputs(current), weights, keptFor(current, memory)),
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
      const kept = ghostKept(current, asked.place);
      const steps = current.body(toolbox, dealerOnline(stock), ghostInputs(current), weights, kept);
      await runOnline(steps, "dealer", channels, () => {});
    }
    memory = remember(current, memory, dealt, asked.place);
  }
}
