import type { Share } from "../../core/index.ts";
import { add, expand, narrow, sub } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  belowThresholds,
  comparisonOf,
  comparisonRefusal,
  comparisonVariants,
  differenceWidth,
  negateBit,
  operandShare,
  scaleMismatch,
  widthHolding,
} from "../comparison/index.ts";
import { defineProtocol, entryAt, type Protocol, type Spec, selectMasked } from "../kit/index.ts";

/** The protocol for the larger, or the smaller, of two values. */
const maxMinOf = (implement: "maximum" | "minimum") =>
  ({
    implements: implement,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/ordering.md",
    accuracy: "exact",
    yields: "share",
    operandWidths: (spec: Spec) =>
      spec.operands.map((x) => Math.max(spec.result.width, widthHolding(differenceWidth(spec), x))),
    refuses: (spec: Spec) =>
      scaleMismatch(...spec.operands, spec.result) ?? comparisonRefusal(differenceWidth(spec), comparisonOf(spec)),
    variants: (spec: Spec) => comparisonVariants(differenceWidth(spec)),
    *run(party, spec, x, y) {
      const { width, shape } = spec.result;
      const n = differenceWidth(spec);
      const full = Math.max(width, n);
      const other = operandShare(party, y!, full);
      // One opening serves the comparison and the selection.
      const difference = yield* maskAndOpen(party, narrow(sub(operandShare(party, x!, full), other), n));
      const isLess = entryAt(yield* belowThresholds(party, difference, [0], comparisonOf(spec)), 0);
      const selector = yield* maskAndOpen(party, implement === "maximum" ? negateBit(party, isLess) : isLess);
      const tensor = add(narrow(other, width), selectMasked(party, selector, difference, width));
      return { kind: "share", tensor: expand(tensor, shape) } satisfies Share;
    },
  }) as const satisfies Partial<Protocol>;

const maximum = maxMinOf("maximum");
const minimum = maxMinOf("minimum");

/** max(x, y) = y + (x − y)·1{x ≥ y}. 3 rounds with digit tables. */
export const maskedMaximum = defineProtocol({ ...maximum, name: "masked.maximum", forms: ["share", "share"] });
/** min(x, y) = y + (x − y)·1{x < y}. */
export const maskedMinimum = defineProtocol({ ...minimum, name: "masked.minimum", forms: ["share", "share"] });
/** The same with a public number. */
export const thresholdMaximum = defineProtocol({ ...maximum, name: "threshold.maximum", forms: ["share", "public"] });
export const thresholdMinimum = defineProtocol({ ...minimum, name: "threshold.minimum", forms: ["share", "public"] });
