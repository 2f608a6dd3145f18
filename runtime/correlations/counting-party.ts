import type { Party, Role } from "../core/index.ts";
import { metaTensor, packedBytes, type Shape } from "../ring/index.ts";

/** Dealer traffic of one program before the input is known, in bytes: to the server by operator, and to each party. */
export interface DealerBytes {
  readonly byOperator: Map<string, number>;
  server: number;
  client: number;
}
export const noDealerBytes = (): DealerBytes => ({ byOperator: new Map(), server: 0, client: 0 });

/**
 * A party that counts: its values are meta tensors, and it adds up what the dealer would have to send to the server.
 */
export function countingParty(role: Role, account: DealerBytes): Party {
  const charge = (label: string, shape: Shape, width: number): void => {
    const bytes = packedBytes(shape, width);
    account.byOperator.set(label, (account.byOperator.get(label) ?? 0) + bytes);
    account.server += bytes;
  };
  const at = (label: string): Party => ({
    role,
    // The parts of an operator are on its account.
    at: (inner) => at(label === "" ? inner : label),
    mask: (shape, width) => ({ share: metaTensor(shape, width), secret: metaTensor(shape, width), fresh: true }),
    sharedRandom: metaTensor,
    clientMask: metaTensor,
    serverMask: metaTensor,
    clientRandom: metaTensor,
    sharedRandomWithDealer: (_, shape, width) => metaTensor(shape, width),
    dealt: (secret) => {
      charge(label, secret.shape, secret.width);
      return metaTensor(secret.shape, secret.width);
    },
    dealtXor: (secret) => {
      charge(label, secret.shape, secret.width);
      return metaTensor(secret.shape, secret.width);
    },
    broadcast: (secret) => {
      charge(label, secret.shape, secret.width);
      account.client += packedBytes(secret.shape, secret.width);
      return metaTensor(secret.shape, secret.width);
    },
    extendMask: (mask, width) => {
      if (width > mask.share.width) charge(label, mask.share.shape, width - mask.share.width);
      return metaTensor(mask.share.shape, width);
    },
    offline: (compute) => compute(),
  });
  return at("");
}

/** Bits per integer of a key in a system without seeds; Booleans and tables are packed. */
const wordBits = 64;

/**
 * A party that counts keys as a system without seeds sends them: both parties receive each of their shares in words of
 * 64 bits, including roots and corrections of point functions (SIGMA's code, GPU-MPC). `client` is the sum for one
 * party.
 */
export function explicitKeyParty(role: Role, account: DealerBytes): Party {
  const charge = (shape: Shape, width: number): void => {
    account.client += packedBytes(shape, width);
  };
  const counting = countingParty(role, noDealerBytes());
  const party: Party = {
    ...counting,
    at: () => party,
    clientMask: (shape, width) => {
      charge(shape, width);
      return metaTensor(shape, width);
    },
    dealt: (secret) => {
      charge(secret.shape, secret.width === 1 ? 1 : wordBits);
      return metaTensor(secret.shape, secret.width);
    },
    dealtXor: (secret) => {
      charge(secret.shape, secret.width);
      return metaTensor(secret.shape, secret.width);
    },
    broadcast: (secret) => {
      charge(secret.shape, secret.width);
      return metaTensor(secret.shape, secret.width);
    },
    extendMask: (mask, width) => {
      charge(mask.share.shape, wordBits);
      return metaTensor(mask.share.shape, width);
    },
  };
  return party;
}
