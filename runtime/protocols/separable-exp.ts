import type { Share } from "../party.ts";
import { addConstant, mulConstant, shiftRightRounded } from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";
import { defineProtocol, type Spec } from "./define.ts";
import { exponential } from "./exponential.ts";
import { openWire } from "./open.ts";
import { signedBits } from "./widths.ts";

const fraction = 12;
const factorBits = 12;

/** Powers of two above 1 that the result may reach: taken off before, put back after. */
const headroom = (spec: Spec): number => Math.max(0, Math.floor(spec.operands[0]!.hi * Math.LOG2E) + 1);
const inputWidth = (spec: Spec): number => {
  const { lo, hi } = spec.operands[0]!;
  const bound = Math.max(Math.abs(lo), Math.abs(hi)) * Math.LOG2E + headroom(spec);
  return Math.max(signedBits(-bound, bound, fraction) + 1, fraction + 6);
};
const shiftOf = (spec: Spec): number => spec.operands[0]!.scale + factorBits - fraction;

/** e^x = 2^h·2^(x·log2 e − h), h public, by the separable masked exponential; 0 where it is below 2^(h−16). 3 rounds. */
export const separableExp = defineProtocol({
  name: "separable.exp",
  implements: "exp",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/separable-exponential.md",
  accuracy: { ulps: (spec) => Math.ceil(2 ** (headroom(spec) + spec.result.scale - 10)) + 2 },
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [inputWidth(spec) + shiftOf(spec)],
  refuses: (spec) => (headroom(spec) > 12 ? `e^x may reach 2^${headroom(spec)}, at most 2^12 is supported` : undefined),
  *run(party, spec, x) {
    const { width, scale } = spec.result;
    const h = headroom(spec);
    const base2 = shiftRightRounded(
      mulConstant((x as Share).tensor, Math.round(Math.LOG2E * 2 ** factorBits)),
      shiftOf(spec),
    );
    const offset: RingTensor = party.role === "client" ? base2 : addConstant(base2, -h * 2 ** fraction);
    const y = yield* openWire(party, offset);
    const weight = yield* exponential(party, y, fraction, { width, scale: scale + h });
    return { kind: "share", tensor: weight } satisfies Share;
  },
});
