import type { Share } from "../../core/index.ts";
import { add, expand, fromIntegers, type IntTensor, mul, narrow, sub } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { bitToRing, defineProtocol, type Protocol, publicShare, type Spec } from "../kit/index.ts";
import { differenceWidth, multiplyByOpenedBit, operandShare, scaleMismatch } from "./boolean-shares.ts";

const shared = {
  implements: "where",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "protocols.md 1.3, MUX; ours: docs/protocols/ordering.md",
  accuracy: "exact",
  yields: "share",
  operandWidths: ({ result }) => [1, result.width, result.width],
  refuses: ({ operands: [, x, y], result }) => scaleMismatch(x!, y!, result),
} as const satisfies Partial<Protocol>;

/** Ring in which x − y is masked: no wider than the result, since only the difference modulo the result matters. */
const openedWidth = ({ operands: [, x, y], result }: Spec): number =>
  Math.min(result.width, result.width === 1 ? 1 : differenceWidth({ operands: [x!, y!], result, attrs: {} }));

/** y + c·(x − y): it opens the condition and the difference together. 1 round, 2·(1 + n) bits per element. */
const selectDifference: Pick<Protocol, "run"> = {
  *run(party, spec, c, x, y) {
    const { width, shape } = spec.result;
    const [full, other] = [operandShare(party, x!, width), operandShare(party, y!, width)];
    const difference = narrow(sub(full, other), openedWidth(spec));
    const selected = yield* multiplyByOpenedBit(party, operandShare(party, c!, 1), difference, width);
    return { kind: "share", tensor: expand(add(other, selected), shape) } satisfies Share;
  },
};

/** x where the secret condition holds, y elsewhere. */
export const maskedWhere = defineProtocol({
  ...shared,
  ...selectDifference,
  name: "masked.where",
  forms: ["share", "share", "share"],
});

/** The same for a public y. */
export const maskedWherePublic = defineProtocol({
  ...shared,
  ...selectDifference,
  name: "masked.where-public",
  forms: ["share", "share", "public"],
});

/** The same for a public x. */
export const maskedWhereElse = defineProtocol({
  ...shared,
  ...selectDifference,
  name: "masked.where-else",
  forms: ["share", "public", "share"],
});

/** Selects between public values: the condition as a number, times a public factor. 1 round, 2 bits per condition. */
export const bitWhere = defineProtocol({
  ...shared,
  name: "bit.where",
  forms: ["share", "public", "public"],
  *run(party, spec, c, x, y) {
    const { width, shape } = spec.result;
    const condition = yield* maskAndOpen(party, operandShare(party, c!, 1));
    const other = fromIntegers(y as IntTensor, width);
    const selected = mul(bitToRing(party, condition, width), sub(fromIntegers(x as IntTensor, width), other));
    return { kind: "share", tensor: expand(add(publicShare(party, other), selected), shape) } satisfies Share;
  },
});
