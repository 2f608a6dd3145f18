import type { Party, Share, Wire } from "../party.ts";
import type { Steps } from "../steps.ts";
import { comparisonOf, comparisonVariants } from "./comparison.ts";
import { defineProtocol, type Protocol, type Spec } from "./define.ts";
import {
  type Inverse,
  type OctavePlan,
  octaveError,
  octaveScale,
  octaves,
  octavesRefuse,
  octaveWireWidth,
  planOctaves,
} from "./octaves.ts";
import { wireWidth } from "./widths.ts";
import { rescale, rescaledFrom } from "./wires.ts";

const planOf = (inverse: Inverse, spec: Spec): OctavePlan => {
  const x = spec.operands[0]!;
  return planOctaves(inverse, x.lo, x.hi, x.scale);
};

function* invert(party: Party, inverse: Inverse, spec: Spec, x: Wire): Steps<Share> {
  const plan = planOf(inverse, spec);
  const by = octaveScale(plan) - spec.result.scale;
  const value = yield* octaves(party, x, plan, rescaledFrom(spec.result.width, by), comparisonOf(spec));
  return { kind: "share", tensor: rescale(value, by) };
}

/** 1/x or 1/√x of a wire whose public bounds are positive (docs/protocols/octaves.md). 2 rounds. */
function octaveProtocol(inverse: Inverse): Protocol {
  return defineProtocol({
    name: `octaves.${inverse}`,
    implements: inverse,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/octaves.md",
    accuracy: { ulps: (spec) => 1 + octaveError(planOf(inverse, spec)) * 2 ** spec.result.scale },
    forms: ["wire"],
    yields: "share",
    operandWidths: (spec) => [Math.max(wireWidth(spec.operands[0]!), octaveWireWidth(planOf(inverse, spec)))],
    refuses: (spec) => {
      const { lo, hi, scale } = spec.operands[0]!;
      if (lo > 0) return octavesRefuse(lo, hi, scale, comparisonOf(spec));
      return `the operand may be ${lo}: its range must be positive`;
    },
    variants: (spec) => comparisonVariants(octaveWireWidth(planOf(inverse, spec))),
    *run(party, spec, x) {
      return yield* invert(party, inverse, spec, x as Wire);
    },
  });
}

export const octavesReciprocal = octaveProtocol("reciprocal");
export const octavesRsqrt = octaveProtocol("rsqrt");
