import { sub } from "../../runtime/ring/arithmetic.ts";
import { lanesOf, type RingTensor, zeros } from "../../runtime/ring/tensor.ts";
import type { Break } from "./compare-views.ts";

/** Errors in the randomness of other systems (costs-users-safety.md C1), each as a change of one stream. */

/**
 * The mask is f(uniform) instead of uniform: the honest party's share is the difference to the corrupted party's share.
 * The protocol stays correct, and the shares of the mask stay uniform: only the view shows the break.
 */
const maskOf =
  (f: (r: RingTensor) => RingTensor): Break =>
  ({ use, source, corrupted, drawn, atCorrupted }) =>
    use === "mask" && source !== corrupted ? sub(f(drawn), atCorrupted) : drawn;

const lanes = (r: RingTensor, f: (lane: number, high: boolean) => number): RingTensor => ({
  ...r,
  data: r.data!.map((lane, k) => f(lane, lanesOf(r.width) === 2 && k % 2 === 1)),
});
/** The lowest `count` bits: SHAFT's and SecFormer's openings too have a mask shorter than the ring. */
const lowest = (r: RingTensor, count: number): RingTensor =>
  lanes(r, (lane, high) => (high ? 0 : lane & (count >= 32 ? 0xffffffff : 2 ** count - 1)));

export const breaks = {
  "mask is 0": maskOf((r) => sub(r, r)),
  "mask has lost its low bit": maskOf((r) => lanes(r, (lane, high) => (high ? lane : lane & ~1))),
  "mask is drawn from a quarter of the ring": maskOf((r) => lowest(r, Math.max(1, r.width - 2))),
  "seven of eight mask bits are zero": maskOf((r) => lanes(r, (lane) => lane & 0x01010101)),
  "mask is drawn from 2^26": maskOf((r) => lowest(r, 26)),
  "a selecting bit is opened unmasked": maskOf((r) => (r.width === 1 ? sub(r, r) : r)),
  "one mask serves every opening": ({ use, drawn, first }) => (use === "mask" ? first() : drawn),
  "one client mask serves two queries": ({ use, drawn, first }) => (use === "client" ? first() : drawn),
  "what the dealer sends is not masked": ({ use, source, drawn }) =>
    use === "dealt" && source === "client" ? zeros(drawn.shape, drawn.width) : drawn,
  "client mask is 0": ({ use, drawn }) => (use === "client" ? zeros(drawn.shape, drawn.width) : drawn),
  "the zero sharing is 0": ({ use, drawn }) =>
    use === "joint" || use === "with dealer" ? zeros(drawn.shape, drawn.width) : drawn,
} as const satisfies Record<string, Break>;

export type BreakName = keyof typeof breaks;
