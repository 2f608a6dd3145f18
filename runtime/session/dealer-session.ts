import { dealerParty } from "../correlations/dealer.ts";
import type { Program } from "../program.ts";
import { freshSeed } from "../random.ts";
import { toolbox } from "../toolbox.ts";
import type { Channel } from "../transport/channel.ts";
import { decodeRequest } from "./control.ts";
import { sessionError } from "./errors.ts";
import { runSegments } from "./exchange.ts";
import { ghostInputs, predict } from "./predict.ts";
import { concatBytes, hiddenBytes, weightHandles } from "./weights.ts";

/**
 * The dealer's side of one session: seeds to both, the hidden weights from the server, then for each query that the
 * server asks for one frame of corrections per segment of the program, as far ahead as the server will read. Ends
 * when the server says so. No query is dealt twice.
 */
export async function runDealer(
  program: Program,
  channels: { readonly client: Channel; readonly server: Channel },
): Promise<{ readonly queries: number }> {
  const clientSeed = freshSeed();
  const serverSeed = freshSeed();
  const ownSeed = freshSeed();
  await channels.client.send(clientSeed.slice());
  await channels.server.send(serverSeed.slice());
  const hidden = await channels.server.receive({ exactBytes: hiddenBytes(program) });
  const { handles } = weightHandles("dealer", program, new Map(), undefined, hidden);
  const { segments } = predict(program);

  for (let next = 0; ; next++) {
    const request = decodeRequest(await channels.server.receive({ kind: "control", maxBytes: 64 }), "server");
    if (request.kind === "end") return { queries: next };
    if (request.query !== next) throw sessionError("reusedCorrelation", { query: request.query, consumed: next - 1 });
    let segment: Uint8Array[] = [];
    const party = dealerParty({
      clientSeed,
      serverSeed,
      ownSeed,
      query: next,
      emit: (_, packed) => segment.push(packed),
    });
    await runSegments(program.body(toolbox, party, ghostInputs(program), handles), {
      after: async (index) => {
        const frame = concatBytes(segment);
        segment = [];
        if (frame.length !== segments[index])
          throw new Error(`dealt ${frame.length} bytes where ${segments[index]} are due`);
        if (frame.length > 0) await channels.server.send(frame);
      },
    });
  }
}
