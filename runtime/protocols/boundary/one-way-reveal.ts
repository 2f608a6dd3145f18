import type { Share } from "../../core/index.ts";
import { add, metaTensor } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/**
 * Reveals a declared output to its reader: the other party sends its share, and nobody else learns anything. 1 round,
 * one way, width bits per element. The result is a share whose tensor is the value at the reader and a meta tensor
 * elsewhere.
 */
export const oneWayReveal = defineProtocol({
  name: "one-way.reveal",
  implements: "reveal",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "reconstruction of additive shares towards one party",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    const reader = spec.attrs.to === "server" ? "server" : "client";
    const sender = reader === "client" ? "server" : "client";
    const mine = (x as Share).tensor;
    const unknown = metaTensor(mine.shape, mine.width);
    // The value is a declared output of the program, and this message goes only to its declared reader.
    const [theirs] = yield [{ from: sender, to: reader, tensor: party.role === sender ? mine : unknown }];
    return { kind: "share", tensor: party.role === reader ? add(mine, theirs!) : unknown } satisfies Share;
  },
});
