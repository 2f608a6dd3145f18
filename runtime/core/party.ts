import type { IntTensor, RingTensor, Shape } from "../ring/index.ts";
import type { Role } from "./steps.ts";

/**
 * A uniform mask that the dealer knows. `secret` is the mask itself, a meta tensor everywhere but at the dealer.
 * `share` is this party's share of it; absent for a mask that was derived from another in a way that shares do not
 * follow.
 */
export interface Mask {
  readonly share: RingTensor | undefined;
  readonly secret: RingTensor;
  /** Drawn by `Party.mask`, not computed from other masks: only a fresh mask can be extended. */
  readonly fresh: boolean;
}

export type FreshMask = Mask & { readonly share: RingTensor; readonly fresh: true };

/** Additive share: x = share(client) + share(server) mod 2^width. A meta tensor at the dealer. */
export interface Share {
  readonly kind: "share";
  readonly tensor: RingTensor;
}

/** Masked value: both parties hold x̂ = x + r mod 2^width; r is the mask. `opened` is a meta tensor at the dealer. */
export interface MaskedValue {
  readonly kind: "masked";
  readonly opened: RingTensor;
  readonly mask: Mask;
}

/**
 * A private weight of the server. W = pad + hidden mod 2^width: client and server expand the pad from their common
 * seed, and the dealer holds the rest, so only the server can know W (protocols.md 1.1, LIN-PK).
 */
export interface KnownWeight {
  readonly kind: "weight";
  readonly shape: Shape;
  readonly width: number;
  readonly values: IntTensor;
  readonly pad: RingTensor;
  readonly hidden: RingTensor;
}

/**
 * Replicated share among three computing parties: x = a + b + c mod 2^width. The client holds (a, b), the server (b, c)
 * and the dealer (c, a). Any two parties know x; one alone knows nothing. A meta tensor while dealing.
 */
export interface ReplicatedShare {
  readonly kind: "replicated";
  readonly components: readonly [RingTensor, RingTensor];
}

export type SharedValue = Share | MaskedValue | ReplicatedShare;

/**
 * Source of a protocol body's correlated randomness. The same calls in the same order serve every reading: the dealer
 * computes and sends, the parties prepare (draw, receive, store) and later take each item once, the cost model counts.
 */
export interface Party {
  readonly role: Role;
  /** The same party with separate streams of randomness, for one operator or, nested, for a part of it. */
  at(label: string): Party;
  /** A fresh uniform mask: each party expands its share from its own seed, the dealer knows both. No traffic. */
  mask(shape: Shape, width: number): FreshMask;
  /** A fresh uniform tensor that the client and the dealer know. No traffic. A meta tensor at the server. */
  clientMask(shape: Shape, width: number): RingTensor;
  /** A fresh uniform tensor that the server and the dealer know. No traffic. A meta tensor at the client. */
  serverMask(shape: Shape, width: number): RingTensor;
  /** Fresh uniform randomness that only the client knows. A meta tensor elsewhere. */
  clientRandom(shape: Shape, width: number): RingTensor;
  /**
   * Uniform randomness that client and server know and the dealer does not. No traffic. A meta tensor at the dealer.
   */
  sharedRandom(shape: Shape, width: number): RingTensor;
  /**
   * Uniform randomness that the dealer, here a computing party, shares with one other party and the third does not
   * know. No traffic. It exists online only: it is a meta tensor at the dealer while it deals.
   */
  sharedRandomWithDealer(other: "client" | "server", shape: Shape, width: number): RingTensor;
  /**
   * Additive shares of a tensor that the dealer knows: the client expands its share from its seed, the server receives
   * width bits per element.
   */
  dealt(secret: RingTensor): RingTensor;
  /** XOR shares of words that the dealer knows; same traffic as `dealt`. */
  dealtXor(secret: RingTensor): RingTensor;
  /** A tensor that the dealer computes from its secrets and both parties may see: width bits per element to each. */
  broadcast(secret: RingTensor): RingTensor;
  /** Additive share of a mask in a wider ring: only the added bits are sent (width − mask width per element). */
  extendMask(mask: FreshMask, width: number): RingTensor;
  /** A tensor that depends on correlated randomness only: computed while preparing, taken once online. */
  offline(compute: () => RingTensor): RingTensor;
}
