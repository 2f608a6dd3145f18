import type { Party, Share, Wire } from "../party.ts";
import { shiftLeft, shiftRightRounded } from "../ring/index.ts";
import type { Steps } from "../steps.ts";
import { defineProtocol, type Protocol, type Spec } from "./define.ts";
import { type Inverse, type OctavePlan, octaveScale, octaves, octaveWireWidth, planOctaves } from "./octaves.ts";
import { wireWidth } from "./widths.ts";

const planOf = (inverse: Inverse, spec: Spec): OctavePlan => {
  const x = spec.operands[0]!;
  return planOctaves(inverse, x.lo, x.hi, x.scale);
};

function* invert(party: Party, inverse: Inverse, spec: Spec, x: Wire): Steps<Share> {
  const plan = planOf(inverse, spec);
  const by = octaveScale(plan) - spec.result.scale;
  const value = yield* octaves(party, x, plan, spec.result.width + Math.max(0, by));
  return { kind: "share", tensor: by > 0 ? shiftRightRounded(value, by) : by < 0 ? shiftLeft(value, -by) : value };
}

/** 1/x or 1/√x of a wire whose public bounds are positive (docs/protocols/octaves.md). 2 rounds. */
function octaveProtocol(inverse: Inverse): Protocol {
  return defineProtocol({
    name: `octaves.${inverse}`,
    implements: inverse,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/octaves.md",
    // Relative error 2^−12 of the largest value, and the truncation.
    accuracy: { ulps: (spec) => Math.ceil(Math.abs(spec.result.hi) * 2 ** (spec.result.scale - 12)) + 2 },
    forms: ["wire"],
    yields: "share",
    operandWidths: (spec) => [Math.max(wireWidth(spec.operands[0]!), octaveWireWidth(planOf(inverse, spec)))],
    refuses: (spec) =>
      spec.operands[0]!.lo > 0 ? undefined : `the operand may be ${spec.operands[0]!.lo}: its range must be positive`,
    *run(party, spec, x) {
      return yield* invert(party, inverse, spec, x as Wire);
    },
  });
}

export const octavesReciprocal = octaveProtocol("reciprocal");
export const octavesRsqrt = octaveProtocol("rsqrt");
