import type { Party, Share, Steps, Wire } from "../../core/index.ts";
import { comparisonOf, comparisonVariants } from "../comparison/index.ts";
import { defineProtocol, type Protocol, rescale, rescaledFrom, type Spec, wireWidth } from "../kit/index.ts";
import {
  type OctaveFunction,
  type OctavePlan,
  octaveError,
  octaveScale,
  octaves,
  octavesRefuse,
  octaveWireWidth,
  planOctaves,
} from "./octaves.ts";

const planOf = (name: OctaveFunction, spec: Spec): OctavePlan => {
  const x = spec.operands[0]!;
  return planOctaves(name, x.lo, x.hi, x.scale);
};

function* evaluate(party: Party, name: OctaveFunction, spec: Spec, x: Wire): Steps<Share> {
  const plan = planOf(name, spec);
  const by = octaveScale(plan) - spec.result.scale;
  const value = yield* octaves(party, x, plan, rescaledFrom(spec.result.width, by), comparisonOf(spec));
  return { kind: "share", tensor: rescale(value, by) };
}

/** 1/x, 1/√x or ln x of a wire whose public bounds are positive (docs/protocols/octaves.md). 2 rounds. */
function octaveProtocol(name: OctaveFunction): Protocol {
  return defineProtocol({
    name: `octaves.${name}`,
    implements: name,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/octaves.md",
    accuracy: { ulps: (spec) => 1 + octaveError(planOf(name, spec)) * 2 ** spec.result.scale },
    forms: ["wire"],
    yields: "share",
    operandWidths: (spec) => [Math.max(wireWidth(spec.operands[0]!), octaveWireWidth(planOf(name, spec)))],
    refuses: (spec) => {
      const { lo, hi, scale } = spec.operands[0]!;
      if (lo > 0) return octavesRefuse(lo, hi, scale, comparisonOf(spec));
      return `the operand may be ${lo}: its range must be positive`;
    },
    variants: (spec) => comparisonVariants(octaveWireWidth(planOf(name, spec))),
    *run(party, spec, x) {
      return yield* evaluate(party, name, spec, x as Wire);
    },
  });
}

export const octavesLog = octaveProtocol("log");
export const octavesReciprocal = octaveProtocol("reciprocal");
export const octavesRsqrt = octaveProtocol("rsqrt");
