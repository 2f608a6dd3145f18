import { type Party, parallel, type Share, type Steps } from "../../core/index.ts";
import { add, fromIntegers, type IntTensor, mul, type RingTensor } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { defineProtocol, multiplyMasked, type Protocol } from "../kit/index.ts";
import { operandShare } from "./boolean-shares.ts";

const shared = {
  implements: "logic",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  accuracy: "exact",
  yields: "share",
  operandWidths: () => [1, 1],
  maxResultWidth: () => 1,
} as const satisfies Partial<Protocol>;

/** x ∧ y of two secret bits. 1 round, 4 bits, 1 dealer bit. */
function* conjunction(party: Party, x: RingTensor, y: RingTensor): Steps<RingTensor> {
  const [a, b] = yield* parallel(maskAndOpen(party, x), maskAndOpen(party, y));
  return multiplyMasked(party, a, b, 1);
}

/** and, or, xor of secret bits; x ∨ y = x ⊕ y ⊕ xy. xor is free, the others take 1 round. */
export const maskedLogic = defineProtocol({
  ...shared,
  name: "masked.logic",
  paper: "Beaver, CRYPTO 1991, modulo 2, with masks that the dealer knows: docs/protocols/masked-product.md",
  forms: ["share", "share"],
  *run(party, spec, x, y) {
    const { kind } = spec.attrs;
    const [a, b] = [operandShare(party, x!, 1), operandShare(party, y!, 1)];
    const sum = add(a, b);
    if (kind === "xor") return { kind: "share", tensor: sum } satisfies Share;
    const both = yield* conjunction(party, a, b);
    return { kind: "share", tensor: kind === "or" ? add(sum, both) : both } satisfies Share;
  },
});

/** The same with a public bit. Free. */
export const localLogic = defineProtocol({
  ...shared,
  name: "local.logic",
  paper: "linear in the secret bit",
  forms: ["share", "public"],
  *run(party, spec, x, y) {
    const { kind } = spec.attrs;
    const a = operandShare(party, x!, 1);
    const sum = add(a, operandShare(party, y!, 1));
    if (kind === "xor") return { kind: "share", tensor: sum } satisfies Share;
    const both = mul(a, fromIntegers(y as IntTensor, 1));
    return { kind: "share", tensor: kind === "or" ? add(sum, both) : both } satisfies Share;
  },
});
