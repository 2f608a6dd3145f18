import type { KnownWeight, ReplicatedShare } from "../../../core/index.ts";
import { matmul, matmulInteger, mul, mulInteger } from "../../../ring/index.ts";
import { defineProtocol, type Protocol, productDrop } from "../../kit/index.ts";
import { multiplyByWeight } from "./replicated-sharing.ts";
import { truncateReplicated } from "./replicated-truncation-steps.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, section 2.2, on the shares of docs/protocols/known-weight.md",
  forms: ["replicated", "weight"],
  yields: "share",
  operandWidths: ({ result }) => [result.width, result.width],
} as const satisfies Partial<Protocol>;

/** Setup shares the weight by its pad, so the online traffic equals that of two shared operands. */
export const replicatedWeightMatmul = defineProtocol({
  ...shared,
  name: "replicated.weight-matmul",
  implements: "matmul",
  accuracy: "exact",
  *run(party, _spec, x, w) {
    return yield* multiplyByWeight(party, x as ReplicatedShare, w as KnownWeight, {
      ring: matmul,
      integer: matmulInteger,
    });
  },
});

export const replicatedWeightMul = defineProtocol({
  ...shared,
  accuracy: { ulps: (spec) => (productDrop(spec) > 0 ? 1 : 0) },
  name: "replicated.weight-mul",
  implements: "mul",
  *run(party, spec, x, w) {
    const kernels = { ring: mul, integer: mulInteger };
    return yield* truncateReplicated(
      party,
      yield* multiplyByWeight(party, x as ReplicatedShare, w as KnownWeight, kernels),
      productDrop(spec),
    );
  },
});
