import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import { add, metaTensor, type RingTensor } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/** Both parties send a tensor of the same shape and ring and receive the other's. 1 round, 2·width bits per element. */
export function* exchangeTensors(party: Party, mine: RingTensor): Steps<RingTensor> {
  const other = metaTensor(mine.shape, mine.width);
  const [toServer, toClient] = yield [
    { from: "client", to: "server", tensor: party.role === "client" ? mine : other },
    { from: "server", to: "client", tensor: party.role === "server" ? mine : other },
  ];
  return party.role === "client" ? toClient! : party.role === "server" ? toServer! : other;
}

/**
 * Additive shares → masked value in the same ring: x̂ = x + r mod 2^n for a fresh uniform r (protocols.md 1.0). 1
 * round, 2n bits per element. Bits are the ring of width 1, so this opens XOR-shared bits as well.
 */
export function* maskAndOpen(party: Party, x: RingTensor): Steps<MaskedValue> {
  const mask = party.mask(x.shape, x.width);
  const mine = add(x, mask.share);
  // x + r is uniform, since r is fresh, uniform in the whole ring and known only to the dealer: safe to open.
  const theirs = yield* exchangeTensors(party, mine);
  return { kind: "masked", opened: add(mine, theirs), mask };
}

export const maskedOpen = defineProtocol({
  name: "masked.open",
  implements: "open",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "protocols.md 1.0; ASTRA-style masked sharing (Chaudhari, Choudhury, Patra, Suresh, CCSW 2019)",
  accuracy: "exact",
  forms: ["share"],
  yields: "masked",
  operandWidths: (spec) => [spec.result.width],
  *run(party, _spec, x) {
    return yield* maskAndOpen(party, (x as Share).tensor);
  },
});
