import type { Party, Role } from "../core/index.ts";
import { ghost, packedBytes, type Shape } from "../ring/index.ts";

/** Dealer's traffic of one program before the input is known: to the server by operator, and to each party. */
export interface DealerBytes {
  readonly byLabel: Map<string, number>;
  server: number;
  client: number;
}
export const noDealerBytes = (): DealerBytes => ({ byLabel: new Map(), server: 0, client: 0 });

/** The party that counts: all its values are ghosts; it adds up what the dealer would have to send to the server. */
export function countingParty(role: Role, account: DealerBytes): Party {
  const charge = (label: string, shape: Shape, width: number): void => {
    const bytes = packedBytes(shape, width);
    account.byLabel.set(label, (account.byLabel.get(label) ?? 0) + bytes);
    account.server += bytes;
  };
  const at = (label: string): Party => ({
    role,
    at,
    mask: (shape, width) => ({ share: ghost(shape, width), secret: ghost(shape, width), fresh: true }),
    joint: ghost,
    clientMask: ghost,
    serverMask: ghost,
    clientRandom: ghost,
    jointWithDealer: (_, shape, width) => ghost(shape, width),
    dealt: (secret) => {
      charge(label, secret.shape, secret.width);
      return ghost(secret.shape, secret.width);
    },
    dealtWords: (secret) => {
      charge(label, secret.shape, secret.width);
      return ghost(secret.shape, secret.width);
    },
    announced: (secret) => {
      charge(label, secret.shape, secret.width);
      account.client += packedBytes(secret.shape, secret.width);
      return ghost(secret.shape, secret.width);
    },
    lifted: (mask, width) => {
      if (width > mask.share.width) charge(label, mask.share.shape, width - mask.share.width);
      return ghost(mask.share.shape, width);
    },
    offline: (compute) => compute(),
  });
  return at("");
}

/** Bits in which a system without seeds ships a number of a key; truth values and tables are packed. */
const word = 64;

/**
 * The party that counts keys as a system without seeds ships them: both parties get each of their shares in words of 64
 * bits, roots and corrections of point functions included (SIGMA's code, GPU-MPC). Added up under `client`: one party's.
 */
export function explicitParty(role: Role, account: DealerBytes): Party {
  const charge = (shape: Shape, width: number): void => {
    account.client += packedBytes(shape, width);
  };
  const counting = countingParty(role, noDealerBytes());
  const party: Party = {
    ...counting,
    at: () => party,
    clientMask: (shape, width) => {
      charge(shape, width);
      return ghost(shape, width);
    },
    dealt: (secret) => {
      charge(secret.shape, secret.width === 1 ? 1 : word);
      return ghost(secret.shape, secret.width);
    },
    dealtWords: (secret) => {
      charge(secret.shape, secret.width);
      return ghost(secret.shape, secret.width);
    },
    announced: (secret) => {
      charge(secret.shape, secret.width);
      return ghost(secret.shape, secret.width);
    },
    lifted: (mask, width) => {
      charge(mask.share.shape, word);
      return ghost(mask.share.shape, width);
    },
  };
  return party;
}
