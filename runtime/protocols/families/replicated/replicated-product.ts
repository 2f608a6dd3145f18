import type { ReplicatedShare } from "../../../core/index.ts";
import { matmul, mul } from "../../../ring/index.ts";
import { defineProtocol, type Protocol, productDrop } from "../../kit/index.ts";
import { multiplyReplicated } from "./replicated-sharing.ts";
import { truncateReplicated } from "./replicated-truncation-steps.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, section 2.2; protocols.md 3.1",
  yields: "share",
  operandWidths: ({ operands, result }) => operands.map(() => result.width),
} as const satisfies Partial<Protocol>;

/** A bilinear product in the ring, truncated if the result has a smaller scale. */
const bilinear = {
  ...shared,
  accuracy: { ulps: (spec) => (productDrop(spec) > 0 ? 1 : 0) },
} as const satisfies Partial<Protocol>;

/** 3 rounds with its truncation; the product takes 3ℓ bits. */
export const replicatedMul = defineProtocol({
  ...bilinear,
  name: "replicated.mul",
  implements: "mul",
  forms: ["replicated", "replicated"],
  *run(party, spec, x, y) {
    return yield* truncateReplicated(
      party,
      yield* multiplyReplicated(party, x as ReplicatedShare, y as ReplicatedShare, mul),
      productDrop(spec),
    );
  },
});

export const replicatedSquare = defineProtocol({
  ...bilinear,
  name: "replicated.square",
  implements: "square",
  forms: ["replicated"],
  *run(party, spec, x) {
    return yield* truncateReplicated(
      party,
      yield* multiplyReplicated(party, x as ReplicatedShare, x as ReplicatedShare, mul),
      productDrop(spec),
    );
  },
});

/** 1 round, 3ℓ bits per element of the result, independent of the inner dimension. */
export const replicatedMatmul = defineProtocol({
  ...shared,
  name: "replicated.matmul",
  implements: "matmul",
  accuracy: "exact",
  forms: ["replicated", "replicated"],
  *run(party, _spec, x, y) {
    return yield* multiplyReplicated(party, x as ReplicatedShare, y as ReplicatedShare, matmul);
  },
});
