import type { MaskedValue, Share } from "../../../core/index.ts";
import { defineProtocol, matmulMasked, multiplyMasked, type Protocol } from "../../kit/index.ts";
import { withShippedMask } from "./sigma-core.ts";

const shared = {
  settings: ["2pc-dealer", "3pc"],
  family: "sigma",
  security: "semi-honest",
  paper:
    "Orca, Jawalkar et al., S&P 2024, section 4; SIGMA, Gupta et al., PoPETs 2024: masked values, weights opened once",
  accuracy: "exact",
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width],
} as const satisfies Partial<Protocol>;

const matmul = {
  ...shared,
  implements: "matmul",
  *run(party, _spec, x, y) {
    const [a, b] = [withShippedMask(party, x as MaskedValue), withShippedMask(party, y as MaskedValue)];
    return { kind: "share", tensor: matmulMasked(party, a, b, (t) => t) } satisfies Share;
  },
} as const satisfies Partial<Protocol>;

const mul = {
  ...shared,
  implements: "mul",
  *run(party, { result }, x, y) {
    const [a, b] = [withShippedMask(party, x as MaskedValue), withShippedMask(party, y as MaskedValue)];
    return { kind: "share", tensor: multiplyMasked(party, a, b, result.width) } satisfies Share;
  },
} as const satisfies Partial<Protocol>;

/**
 * Matrix product with a weight that is opened once. Online only x and the result are opened; keys hold all three masks.
 */
export const sigmaMatmul = defineProtocol({ ...matmul, name: "sigma.matmul", forms: ["masked", "fixed"] });
/** Matrix product of two masked values. */
export const sigmaSharedMatmul = defineProtocol({
  ...matmul,
  name: "sigma.shared-matmul",
  forms: ["masked", "masked"],
});
/** Elementwise product with a weight that is opened once. */
export const sigmaMul = defineProtocol({ ...mul, name: "sigma.mul", forms: ["masked", "fixed"] });
/** Elementwise product of two masked values. */
export const sigmaSharedMul = defineProtocol({ ...mul, name: "sigma.shared-mul", forms: ["masked", "masked"] });
