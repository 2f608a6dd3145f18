import type { Role, Steps, Transfer } from "../core/index.ts";
import { metaTensor, pack, packedBytes, type RingTensor, unpack } from "../ring/index.ts";
import type { Channel } from "../transport/index.ts";
import { concatBytes } from "./session-weights.ts";

const bytesOf = ({ tensor }: Transfer): number => packedBytes(tensor.shape, tensor.width);

/** The other parties that may take part online. */
export type Peers = Readonly<Partial<Record<Role, Channel>>>;

/**
 * Runs steps against the peers. Each round is at most one frame to and from each peer; a frame holds its tensors one
 * after the other, each packed to its ring's width. The program determines lengths, so a frame of another length is
 * refused on its header.
 */
export async function runOnline<T>(steps: Steps<T>, role: Role, peers: Peers, onRound: () => void): Promise<T> {
  let state = steps.next();
  while (!state.done) {
    const round = state.value;
    onRound();
    const others = Object.entries(peers) as [Role, Channel][];
    for (const [to, channel] of others) {
      const outgoing = round.filter((transfer) => transfer.from === role && transfer.to === to);
      if (outgoing.length > 0) await channel.send(concatBytes(outgoing.map(({ tensor }) => pack(tensor))));
    }
    const arrived = new Map<Transfer, RingTensor>();
    for (const [from, channel] of others) {
      const incoming = round.filter((transfer) => transfer.to === role && transfer.from === from);
      if (incoming.length === 0) continue;
      for (const [transfer, tensor] of await receiveTransfers(incoming, channel)) arrived.set(transfer, tensor);
    }
    state = steps.next(
      round.map((transfer) => arrived.get(transfer) ?? metaTensor(transfer.tensor.shape, transfer.tensor.width)),
    );
  }
  return state.value;
}

/** Receives one frame that holds these transfers one after the other. */
async function receiveTransfers(
  due: readonly Transfer[],
  channel: Channel,
): Promise<readonly (readonly [Transfer, RingTensor])[]> {
  const frame = await channel.receive({ exactBytes: due.reduce((sum, transfer) => sum + bytesOf(transfer), 0) });
  let offset = 0;
  return due.map((transfer) => {
    const { shape, width } = transfer.tensor;
    const bytes = frame.subarray(offset, offset + bytesOf(transfer));
    offset += bytes.length;
    return [transfer, unpack(bytes, shape, width)];
  });
}

/**
 * Runs steps while no peer sends. A segment lies between two rounds: the dealer sends one frame after each segment, the
 * server takes one before each.
 */
export async function runOffline<T>(
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
    answer = state.value.map(({ tensor }) => metaTensor(tensor.shape, tensor.width));
  }
}
