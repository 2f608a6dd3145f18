import type { MaskedValue, Share } from "../../core/index.ts";
import {
  fromIntegers,
  type IntTensor,
  mul,
  narrow,
  reduceSum,
  reshape,
  reversedTables,
  unitVectors,
} from "../../ring/index.ts";
import { defineProtocol, type Spec } from "../kit/index.ts";

export const indexBits = ({ attrs }: Spec): number => Number(attrs.bits);

/** Reason why a lookup does not support its operand. */
export const indexRefusal = ({ operands: [x], attrs }: Spec): string | undefined =>
  x!.scale === attrs.fraction
    ? undefined
    : `its operand has ${x!.scale} fractional bits, but the index has ${attrs.fraction}`;

/** Most bits of the index: each bit more doubles what the dealer sends. */
const maxIndexBits = 10;

/**
 * Lookup by a one-time vector (L-OTTT, protocols.md 1.4; docs/protocols/lookup.md). The dealer shares the unit vector
 * of the mask's low bits; each party computes its inner product with the public table, rotated by the opened index. 0
 * rounds; 2^bits·width bits from the dealer, whatever the length of an entry.
 */
export const otttLookup = defineProtocol({
  name: "ottt.lookup",
  implements: "lookup",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky, TCC 2013, section 3; docs/protocols/lookup.md",
  accuracy: "exact",
  forms: ["masked", "public"],
  yields: "share",
  operandWidths: (spec) => [indexBits(spec), spec.result.width],
  refuses: (spec) =>
    indexRefusal(spec) ??
    (indexBits(spec) > maxIndexBits ? `its index has ${indexBits(spec)} bits, at most ${maxIndexBits}` : undefined),
  *run(party, spec, x, entries) {
    const { opened, mask } = x as MaskedValue;
    const bits = indexBits(spec);
    const { width } = spec.result;
    const table = fromIntegers(entries as IntTensor, width);
    const vector = party.dealt(unitVectors(narrow(mask.secret, bits), width));
    // The index is x plus a uniform mask of the same ring: looking it up reveals nothing.
    const turned = reversedTables(table, narrow(opened, bits));
    const weights = reshape(vector, [...vector.shape, ...table.shape.slice(1).map(() => 1)]);
    return { kind: "share", tensor: reduceSum(mul(weights, turned), [0], false) } satisfies Share;
  },
});
