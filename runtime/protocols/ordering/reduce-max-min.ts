import type { MaskedValue, Share } from "../../core/index.ts";
import { neg, reshape } from "../../ring/index.ts";
import { comparisonOf, comparisonRefusal, comparisonVariants, scaleMismatch } from "../comparison/index.ts";
import { defineProtocol, liftToRing, mapMasked, narrowMasked, type Protocol, type Spec } from "../kit/index.ts";
import { rowsAlong } from "./row-indices.ts";
import { rowWidth } from "./row-layout.ts";
import { maxRadixVariants, radixOf, rowMax } from "./row-max.ts";

const reduceMaxMinOf = (implement: "reduce-max" | "reduce-min", towards: (x: MaskedValue) => MaskedValue) =>
  ({
    implements: implement,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/ordering.md",
    accuracy: "exact",
    forms: ["masked"],
    yields: "share",
    operandWidths: (spec: Spec) => [rowWidth(spec.operands[0]!)],
    refuses: (spec: Spec) =>
      scaleMismatch(...spec.operands, spec.result) ??
      comparisonRefusal(rowWidth(spec.operands[0]!), comparisonOf(spec)),
    variants: (spec: Spec) =>
      maxRadixVariants.flatMap((radix) =>
        comparisonVariants(rowWidth(spec.operands[0]!)).map((method) => ({ ...method, radix })),
      ),
    *run(party, spec, x) {
      const [{ shape }] = spec.operands as [Spec["operands"][number]];
      const rows = rowsAlong(shape, spec.attrs.axes as readonly number[]);
      const flat = mapMasked(narrowMasked(x as MaskedValue, rowWidth(spec.operands[0]!)), (t) =>
        reshape(t, [rows.positions.length]),
      );
      const most = towards(yield* rowMax(party, towards(flat), rows, comparisonOf(spec), radixOf(spec)));
      return {
        kind: "share",
        tensor: reshape(liftToRing(party, most, spec.result.width), spec.result.shape),
      } satisfies Share;
    },
  }) as const satisfies Partial<Protocol>;

/** Largest element along axes, by a tournament of groups (attribute `radix`). 3 rounds a level with digit tables. */
export const tournamentReduceMax = defineProtocol({
  ...reduceMaxMinOf("reduce-max", (x) => x),
  name: "tournament.reduce-max",
});

/** Smallest element along axes: the largest of the negatives. */
export const tournamentReduceMin = defineProtocol({
  ...reduceMaxMinOf("reduce-min", (x) => mapMasked(x, neg)),
  name: "tournament.reduce-min",
});
