import type { RingTensor } from "../ring/index.ts";

export type Role = "client" | "server" | "dealer";

/** Every possible direction of traffic, in reading order. */
export const directions = [
  "client→server",
  "server→client",
  "client→dealer",
  "server→dealer",
  "dealer→server",
  "dealer→client",
] as const satisfies readonly `${Role}→${Role}`[];
/** A direction of traffic, such as "client→server". */
export type Direction = (typeof directions)[number];
/** Payload bytes by direction. */
export type BytesByDirection = Readonly<Record<Direction, number>>;
export const noBytes = Object.fromEntries(directions.map((link) => [link, 0])) as unknown as BytesByDirection;

/**
 * One tensor that crosses the network in a round. With two parties the dealer takes no part online; in the three-party
 * setting it may. Both ends yield the same transfer: the sender's tensor has contents; the receiver's (and that of a
 * cost run) is a meta tensor that gives the expected shape and ring.
 */
export interface Transfer {
  readonly from: Role;
  readonly to: Role;
  readonly tensor: RingTensor;
}

/**
 * A protocol is a generator: one yield is one round, and nothing else reaches the network. The answer has one tensor
 * for each transfer: the received one where this party is the receiver, a meta tensor elsewhere.
 */
export type Steps<T> = Generator<readonly Transfer[], T, readonly RingTensor[]>;

/** Runs protocols in lockstep. They share rounds: the number of rounds is the maximum, the bytes are the sum. */
export function* parallel<T extends readonly unknown[]>(...protocols: { [K in keyof T]: Steps<T[K]> }): Steps<T> {
  const results: unknown[] = new Array(protocols.length);
  let pending = protocols.map((steps, index) => ({ steps, index, state: steps.next() }));
  for (;;) {
    for (const each of pending) if (each.state.done) results[each.index] = each.state.value;
    pending = pending.filter((each) => !each.state.done);
    if (pending.length === 0) return results as unknown as T;
    const rounds = pending.map((each) => each.state.value as readonly Transfer[]);
    const received = yield rounds.flat();
    let offset = 0;
    pending = pending.map((each, k) => {
      const count = rounds[k]!.length;
      const mine = received.slice(offset, offset + count);
      offset += count;
      return { ...each, state: each.steps.next(mine) };
    });
  }
}
