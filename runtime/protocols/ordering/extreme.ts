import type { Share } from "../../core/index.ts";
import { add, expand, narrow, sub } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import {
  atLeast,
  below,
  comparisonOf,
  comparisonVariants,
  differenceWidth,
  negated,
  sideOf,
  tooWide,
  unequalScales,
} from "../comparison/index.ts";
import { at, defineProtocol, type Protocol, type Spec, select } from "../kit/index.ts";

/** The operator for the larger, or the smaller, of two. */
const extremeOf = (implement: "maximum" | "minimum") =>
  ({
    implements: implement,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/ordering.md",
    accuracy: "exact",
    yields: "share",
    operandWidths: (spec: Spec) =>
      spec.operands.map((x) => Math.max(spec.result.width, atLeast(differenceWidth(spec), x))),
    refuses: (spec: Spec) =>
      unequalScales(...spec.operands, spec.result) ?? tooWide(differenceWidth(spec), comparisonOf(spec)),
    variants: (spec: Spec) => comparisonVariants(differenceWidth(spec)),
    *run(party, spec, x, y) {
      const { width, shape } = spec.result;
      const n = differenceWidth(spec);
      const full = Math.max(width, n);
      const other = sideOf(party, y!, full);
      // One opening serves the comparison and the choice.
      const difference = yield* openWire(party, narrow(sub(sideOf(party, x!, full), other), n));
      const isLess = at(yield* below(party, difference, [0], comparisonOf(spec)), 0);
      const kept = yield* openWire(party, implement === "maximum" ? negated(party, isLess) : isLess);
      const tensor = add(narrow(other, width), select(party, kept, difference, width));
      return { kind: "share", tensor: expand(tensor, shape) } satisfies Share;
    },
  }) as const satisfies Partial<Protocol>;

const maximum = extremeOf("maximum");
const minimum = extremeOf("minimum");

/** max(x, y) = y + (x − y)·1{x ≥ y}. 3 rounds with digit tables. */
export const maskedMaximum = defineProtocol({ ...maximum, name: "masked.maximum", forms: ["share", "share"] });
/** min(x, y) = y + (x − y)·1{x < y}. */
export const maskedMinimum = defineProtocol({ ...minimum, name: "masked.minimum", forms: ["share", "share"] });
/** The same beside a public number. */
export const thresholdMaximum = defineProtocol({ ...maximum, name: "threshold.maximum", forms: ["share", "public"] });
export const thresholdMinimum = defineProtocol({ ...minimum, name: "threshold.minimum", forms: ["share", "public"] });
