import type { ReplicatedShare } from "../../../core/index.ts";
import { defineProtocol, maxMagnitude, type Protocol, type Spec } from "../../kit/index.ts";
import { truncateReplicated, truncateReplicatedLocally } from "./replicated-truncation-steps.ts";

const shared = {
  implements: "truncate",
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  accuracy: { ulps: () => 1 },
  forms: ["replicated"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
} as const satisfies Partial<Protocol>;

/** Largest |x| in units of the operand's scale. */
const magnitudeOf = ({ operands: [x] }: Spec): number => maxMagnitude(x!) * 2 ** x!.scale;

/** We accept errors rarer than 2^−40 per element: they do not occur in the life of a deployment. */
const failureBits = 40;

/** Within one unit, for |x| < 2^(ℓ−2). 2 rounds, 4ℓ bits; the dealer ℓ + by + 1 before. */
export const replicatedTruncate = defineProtocol({
  ...shared,
  name: "replicated.truncate",
  paper: "Dalskov, Escudero, Keller, PoPETs 2020, section 5; SPU (Ma et al., USENIX ATC 2023); protocols.md 3.1",
  refuses: (spec) =>
    magnitudeOf(spec) >= 2 ** (spec.result.width - 2)
      ? `the value needs two bits of slack in the ring of ${spec.result.width} bits`
      : undefined,
  *run(party, spec, x) {
    return yield* truncateReplicated(party, x as ReplicatedShare, Number(spec.attrs.by));
  },
});

/** Cheaper, but wrong with a small probability: see `failure`. 1 round, ℓ bits. */
export const replicatedTruncateUnchecked = defineProtocol({
  ...shared,
  name: "replicated.truncate-unchecked",
  paper: "ABY3 (Mohassel, Rindal, CCS 2018), section 5.1.1, Π_trunc1; protocols.md 3.1",
  // ABY3 states 2^(lx + 1 − ℓ) for |x| < 2^lx, which is at least twice this.
  failure: (spec) => magnitudeOf(spec) / 2 ** spec.result.width,
  refuses: (spec) =>
    magnitudeOf(spec) > 2 ** (spec.result.width - failureBits)
      ? `an element would be wrong with probability ${(magnitudeOf(spec) / 2 ** spec.result.width).toExponential(1)}, more than 2^-${failureBits}`
      : undefined,
  *run(party, spec, x) {
    return yield* truncateReplicatedLocally(party, x as ReplicatedShare, Number(spec.attrs.by));
  },
});
