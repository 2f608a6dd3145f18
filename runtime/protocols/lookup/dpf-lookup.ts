import type { MaskedValue, Share } from "../../core/index.ts";
import {
  addConstant,
  fromIntegers,
  type IntTensor,
  leafBits,
  mul,
  mulConstant,
  narrow,
  neg,
  reshape,
  selectedSums,
  sub,
  unitVector,
  widen,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { dpfKey } from "../comparison/index.ts";
import { defineProtocol } from "../kit/index.ts";
import { indexBits, indexRefusal } from "./ottt-lookup.ts";

/** Most bits of the index: both parties expand the whole vector, 2^(bits − 7) blocks. */
const maxIndexBits = 13;

/**
 * Lookup by a distributed point function (L-DPF after SIGMA, protocols.md 1.4; docs/protocols/lookup.md). While
 * preparing, each party expands its XOR share of the unit vector at the mask. The shares' bits differ at the mask only,
 * so the difference of the two inner products with the rotated table is the entry, up to a sign that the dealer knows.
 * The difference is opened under a mask, and the dealer's shares of the sign correct it. 1 round, 2·width bits; (bits −
 * 7)·130 + 128 bits from the dealer to each party and 2·width to the server.
 */
export const dpfLookup = defineProtocol({
  name: "dpf.lookup",
  implements: "lookup",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "after SIGMA (Gupta et al., PoPETs 2024); docs/protocols/lookup.md",
  accuracy: "exact",
  forms: ["masked", "public"],
  yields: "share",
  operandWidths: (spec) => [indexBits(spec), spec.result.width],
  refuses: (spec) => {
    const bits = indexBits(spec);
    if (bits < leafBits) {
      return `its index of ${bits} bits fits a one-time vector, point functions need at least ${leafBits}`;
    }
    return (
      indexRefusal(spec) ?? (bits > maxIndexBits ? `its index has ${bits} bits, at most ${maxIndexBits}` : undefined)
    );
  },
  *run(party, spec, x, entries) {
    const { opened, mask } = x as MaskedValue;
    const bits = indexBits(spec);
    const { width } = spec.result;
    const table = fromIntegers(entries as IntTensor, width);
    const { root, corrections, atPoint } = dpfKey(party, narrow(mask.secret, bits));
    const vector = party.offline(() => unitVector(root, corrections));
    // The index is x plus a uniform mask of the same ring: looking it up reveals nothing.
    const sums = selectedSums(vector, table, narrow(opened, bits));
    // The entry or its negative plus a fresh uniform mask: safe to open.
    const entry = yield* maskAndOpen(party, party.role === "client" ? sums : neg(sums));
    // If the client's bit at the mask is 1, its sum contains the entry; otherwise the server's sum does, negated.
    const bit = reshape(atPoint, [...atPoint.shape, ...table.shape.slice(1).map(() => 1)]);
    const sign = addConstant(mulConstant(widen(bit, width), 2), -1);
    const signed = sub(mul(entry.opened, party.dealt(sign)), party.dealt(mul(sign, entry.mask.secret)));
    return { kind: "share", tensor: signed } satisfies Share;
  },
});
