import type { Wire } from "../party.ts";
import { concat } from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";

/** Places lie along this axis of what is kept: keys and values [batch, heads, places, depth]. */
export const keptAxis = 2;

/**
 * A wire part by part. A share of its mask that was there stays one, of a mask that is kept: it hides nothing again, and
 * is multiplied with fresh shares of products each time.
 */
export const eachPart = ({ opened, mask }: Wire, change: (t: RingTensor) => RingTensor): Wire => ({
  kind: "wire",
  opened: change(opened),
  mask: { share: mask.share && change(mask.share), secret: change(mask.secret), fresh: false },
});

/** Two wires of one ring below each other. Both parts of the mask are known where the parts' are: free. */
export const joinRows = (past: Wire, next: Wire): Wire => ({
  kind: "wire",
  opened: concat([past.opened, next.opened], keptAxis),
  mask: {
    share: past.mask.share && next.mask.share && concat([past.mask.share, next.mask.share], keptAxis),
    secret: concat([past.mask.secret, next.mask.secret], keptAxis),
    fresh: false,
  },
});
