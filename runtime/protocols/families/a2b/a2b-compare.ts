import type { Party, Share } from "../../../core/index.ts";
import { add, addConstant, fromIntegers, mulConstant, type RingTensor, sub, zeros } from "../../../ring/index.ts";
import { defineProtocol, type Operand, type Protocol, publicShare, type Spec } from "../../kit/index.ts";
import { additiveShareOf } from "../beaver/index.ts";
import { signBit, wordBits } from "./a2b.ts";

type Sides = readonly [x: RingTensor, y: RingTensor];
/** Every relation is the sign of a difference, or its complement. */
const orders: Readonly<Record<string, { readonly from: (sides: Sides) => RingTensor; readonly complement: boolean }>> =
  {
    less: { from: ([x, y]) => sub(x, y), complement: false },
    greater: { from: ([x, y]) => sub(y, x), complement: false },
    "greater-or-equal": { from: ([x, y]) => sub(x, y), complement: true },
    "less-or-equal": { from: ([x, y]) => sub(y, x), complement: true },
  };

/** Public integers are the client's whole share. */
function sideOf(party: Party, operand: Operand): RingTensor {
  if (operand.kind !== "int") return additiveShareOf(party, operand, wordBits);
  return party.role === "server" ? zeros(operand.shape, wordBits) : fromIntegers(operand, wordBits);
}

const shared = {
  implements: "compare",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "CrypTen (Knott et al., NeurIPS 2021), section 4.2 and its code; protocols.md 1.3, K-CRYPTEN",
  accuracy: "exact",
  yields: "share",
  operandWidths: () => [wordBits, wordBits],
  maxResultWidth: () => 1,
  refuses: ({ attrs }: Spec) =>
    Object.hasOwn(orders, String(attrs.kind)) ? undefined : `it supports order relations, not ${attrs.kind}`,
  *run(party, spec, x, y) {
    const { from, complement } = orders[String(spec.attrs.kind)]!;
    const sign = yield* signBit(party, from([sideOf(party, x!), sideOf(party, y!)]));
    const one = addConstant(mulConstant(sign, 0), 1);
    const tensor = complement ? add(publicShare(party, one), sign) : sign;
    return { kind: "share", tensor } satisfies Share;
  },
} as const satisfies Partial<Protocol>;

/**
 * x < y and similar relations as an XOR-shared bit: 7 rounds, 2560 bits. As a number (`a2b.cast`): 8 rounds, 2688 bits.
 */
export const a2bCompare = defineProtocol({ ...shared, name: "a2b.compare", forms: ["share", "share"] });

/** The same with a public number. */
export const a2bComparePublic = defineProtocol({ ...shared, name: "a2b.compare-public", forms: ["share", "public"] });
