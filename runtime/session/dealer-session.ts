import { dealerOnline, dealerParty } from "../correlations/dealer.ts";
import { createStock } from "../correlations/stock.ts";
import type { Program } from "../program.ts";
import { freshSeed } from "../random.ts";
import { toolbox } from "../toolbox.ts";
import type { Channel } from "../transport/channel.ts";
import { decodeRequest } from "./control.ts";
import { sessionError } from "./errors.ts";
import { runOnline, runSegments } from "./exchange.ts";
import { ghostInputs, predict } from "./predict.ts";
import { concatBytes, hiddenBytes, weightHandles } from "./weights.ts";

/**
 * The dealer's side of one session: seeds to both, the hidden weights from the server, then for each query that the
 * server asks for one frame of corrections per segment of the program, as far ahead as they will be read; where the
 * program has it compute, its part of the query follows. Ends when the server says so. No query is dealt twice.
 */
export async function runDealer(
  program: Program,
  channels: { readonly client: Channel; readonly server: Channel },
): Promise<{ readonly queries: number }> {
  const clientSeed = freshSeed();
  const serverSeed = freshSeed();
  await channels.client.send(clientSeed.slice());
  await channels.server.send(serverSeed.slice());
  const hidden = await channels.server.receive({ exactBytes: hiddenBytes(program) });
  const { handles } = weightHandles("dealer", program, { serverSeed, received: hidden });
  const { segments, dealerComputes } = predict(program);

  for (let next = 0; ; next++) {
    const request = decodeRequest(await channels.server.receive({ kind: "control", maxBytes: 64 }), "server");
    if (request.kind === "end") return { queries: next };
    if (request.query !== next) throw sessionError("reusedCorrelation", { query: request.query, consumed: next - 1 });
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
    await runSegments(program.body(toolbox, party, ghostInputs(program), handles), {
      after: async (index) => {
        for (const to of ["server", "client"] as const) {
          const frame = concatBytes(frames[to]);
          frames[to] = [];
          const due = segments[to][index];
          if (frame.length !== due) throw new Error(`dealt the ${to} ${frame.length} bytes where ${due} are due`);
          if (frame.length > 0) await channels[to].send(frame);
        }
      },
    });
    if (dealerComputes) {
      const steps = program.body(toolbox, dealerOnline(stock), ghostInputs(program), handles);
      await runOnline(steps, "dealer", channels, () => {});
    }
  }
}
