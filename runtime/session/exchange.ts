import { pack, unpack } from "../ring/index.ts";
import { ghost, packedBytes, type RingTensor } from "../ring/tensor.ts";
import type { Steps, Transfer } from "../steps.ts";
import type { Channel } from "../transport/channel.ts";
import { concatBytes } from "./weights.ts";

const bytesOf = ({ tensor }: Transfer): number => packedBytes(tensor.shape, tensor.width);

/**
 * Runs steps against the peer: each round is at most one frame either way, its tensors packed to their rings' widths
 * one after the other. Lengths are known from the program, so a frame of another length is refused on its header.
 */
export async function runOnline<T>(
  steps: Steps<T>,
  role: "client" | "server",
  peer: Channel,
  onRound: () => void,
): Promise<T> {
  let state = steps.next();
  while (!state.done) {
    const round = state.value;
    onRound();
    const outgoing = round.filter((transfer) => transfer.from === role);
    const incoming = round.filter((transfer) => transfer.to === role);
    if (outgoing.length > 0) await peer.send(concatBytes(outgoing.map(({ tensor }) => pack(tensor))));
    const arrived = new Map<Transfer, RingTensor>();
    if (incoming.length > 0) {
      const frame = await peer.receive({ exactBytes: incoming.reduce((sum, transfer) => sum + bytesOf(transfer), 0) });
      let offset = 0;
      for (const transfer of incoming) {
        const { shape, width } = transfer.tensor;
        const bytes = bytesOf(transfer);
        arrived.set(transfer, unpack(frame.subarray(offset, offset + bytes), shape, width));
        offset += bytes;
      }
    }
    state = steps.next(
      round.map((transfer) => arrived.get(transfer) ?? ghost(transfer.tensor.shape, transfer.tensor.width)),
    );
  }
  return state.value;
}

/**
 * Runs steps with nothing arriving from a peer. A segment is what lies between two rounds: the dealer sends one frame
 * after each, the server takes one before each.
 */
export async function runSegments<T>(
  steps: Steps<T>,
  around: {
    readonly before?: (segment: number) => Promise<void>;
    readonly after?: (segment: number) => Promise<void>;
  },
): Promise<T> {
  let answer: readonly RingTensor[] = [];
  for (let segment = 0; ; segment++) {
    await around.before?.(segment);
    const state = steps.next(answer);
    await around.after?.(segment);
    if (state.done) return state.value;
    answer = state.value.map(({ tensor }) => ghost(tensor.shape, tensor.width));
  }
}
