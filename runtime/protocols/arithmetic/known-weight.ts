import type { KnownWeight, Party, Share, Steps } from "../../core/index.ts";
import {
  add,
  type IntTensor,
  matmul,
  matmulInteger,
  metaTensor,
  mul,
  mulInteger,
  type RingTensor,
  sub,
} from "../../ring/index.ts";
import { defineProtocol, type Protocol } from "../kit/index.ts";

export interface ProductKernels {
  readonly ring: (x: RingTensor, w: RingTensor) => RingTensor;
  readonly integer: (x: RingTensor, w: IntTensor) => RingTensor;
}

/**
 * x∘W for a bilinear ∘ and a private weight of the server (LIN-PK, ours: docs/protocols/known-weight.md; protocols.md
 * 1.1). W = pad + hidden: the dealer holds `hidden`, the client expands `pad`. With A uniform, known to client and
 * dealer, and C = A∘hidden shared:
 *   client → server: D = x1 − A;   server: (x0 + D)∘W + C0;   client: A∘pad + C1 (before any input is known).
 *   (x0 + x1 − A)∘W + A∘hidden + A∘pad = x∘W.
 * 1 round, width bits per element of x, one way; dealer: width bits per element of the result, to the server only.
 */
export function* multiplyByKnownWeight(
  party: Party,
  product: ProductKernels,
  x: RingTensor,
  weight: KnownWeight,
): Steps<Share> {
  const a = party.clientMask(x.shape, x.width);
  const c = party.dealt(product.ring(a, weight.hidden));
  const clientResult = party.offline(() => add(product.ring(a, weight.pad), c));
  // x1 − A is uniform: A is fresh and the server does not know it. Safe to send.
  const masked = party.role === "client" ? sub(x, a) : metaTensor(x.shape, x.width);
  const [opened] = yield [{ from: "client", to: "server", tensor: masked }];
  if (party.role === "client") return { kind: "share", tensor: clientResult };
  return { kind: "share", tensor: add(product.integer(add(x, opened!), weight.values), c) };
}

/** Common fields of products of a share with a private weight: all operands are in the ring of the result. */
export const knownWeightDefaults = {
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/known-weight.md",
  accuracy: "exact",
  forms: ["share", "weight"],
  yields: "share",
  operandWidths: ({ operands, result }) => operands.map(() => result.width),
} as const satisfies Partial<Protocol>;

export const knownWeightMatmul = defineProtocol({
  ...knownWeightDefaults,
  name: "known-weight.matmul",
  implements: "matmul",
  *run(party, _spec, x, weight) {
    return yield* multiplyByKnownWeight(
      party,
      { ring: matmul, integer: matmulInteger },
      (x as Share).tensor,
      weight as KnownWeight,
    );
  },
});

export const knownWeightMul = defineProtocol({
  ...knownWeightDefaults,
  name: "known-weight.mul",
  implements: "mul",
  *run(party, _spec, x, weight) {
    return yield* multiplyByKnownWeight(
      party,
      { ring: mul, integer: mulInteger },
      (x as Share).tensor,
      weight as KnownWeight,
    );
  },
});
