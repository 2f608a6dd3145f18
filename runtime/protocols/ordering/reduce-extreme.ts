import type { Share, Wire } from "../../core/index.ts";
import { neg, reshape } from "../../ring/index.ts";
import { comparisonOf, comparisonVariants, differenceOf, tooWide, unequalScales } from "../comparison/index.ts";
import { defineProtocol, lift, mapWire, narrowed, type Protocol, type Spec, wireWidth } from "../kit/index.ts";
import { rowsAlong } from "./duels.ts";
import { maxRadixVariants, radixOf, rowMax } from "./row-max.ts";

/** Ring in which two elements of a tensor are compared: it holds their difference with slack. */
const widthOf = ({ operands: [x] }: Spec): number => Math.max(wireWidth(x!), wireWidth(differenceOf(x!, x!)));

const extremeOf = (implement: "reduce-max" | "reduce-min", towards: (x: Wire) => Wire) =>
  ({
    implements: implement,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/ordering.md",
    accuracy: "exact",
    forms: ["wire"],
    yields: "share",
    operandWidths: (spec: Spec) => [widthOf(spec)],
    refuses: (spec: Spec) => unequalScales(...spec.operands, spec.result) ?? tooWide(widthOf(spec), comparisonOf(spec)),
    variants: (spec: Spec) =>
      maxRadixVariants.flatMap((radix) => comparisonVariants(widthOf(spec)).map((method) => ({ ...method, radix }))),
    *run(party, spec, x) {
      const [{ shape }] = spec.operands as [Spec["operands"][number]];
      const rows = rowsAlong(shape, spec.attrs.axes as readonly number[]);
      const flat = mapWire(narrowed(x as Wire, widthOf(spec)), (t) => reshape(t, [rows.flat().length]));
      const most = towards(yield* rowMax(party, towards(flat), rows, comparisonOf(spec), radixOf(spec)));
      return {
        kind: "share",
        tensor: reshape(lift(party, most, spec.result.width), spec.result.shape),
      } satisfies Share;
    },
  }) as const satisfies Partial<Protocol>;

/** Largest element along axes, by a tournament of groups (attribute `radix`). 3 rounds a level with digit tables. */
export const tournamentReduceMax = defineProtocol({
  ...extremeOf("reduce-max", (x) => x),
  name: "tournament.reduce-max",
});

/** Smallest element along axes: the largest of the negatives. */
export const tournamentReduceMin = defineProtocol({
  ...extremeOf("reduce-min", (x) => mapWire(x, neg)),
  name: "tournament.reduce-min",
});
