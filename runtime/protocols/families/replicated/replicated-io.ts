import type { ReplicatedShare, Share } from "../../../core/index.ts";
import { add, fromIntegers, type IntTensor, metaTensor } from "../../../ring/index.ts";
import { defineProtocol } from "../../kit/index.ts";
import { shareFromClient, shareFromServer, thirdComponent } from "./replicated-sharing.ts";

/** The client's input as a replicated share. 1 round, width bits per element, client to server. */
export const replicatedShare = defineProtocol({
  name: "replicated.share",
  implements: "share",
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, section 2.1; one component 0, one from a seed",
  accuracy: "exact",
  forms: ["public"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    return yield* shareFromClient(party, fromIntegers(x as IntTensor, spec.result.width));
  },
});

/** The server's input as a replicated share. 1 round, width bits per element, server to client. */
export const replicatedServerShare = defineProtocol({
  name: "replicated.server-share",
  implements: "share",
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, section 2.1; one component 0, one from a seed",
  accuracy: "exact",
  forms: ["server"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    return yield* shareFromServer(party, fromIntegers(x as IntTensor, spec.result.width));
  },
});

/**
 * Reveals a declared output to its reader, who receives the missing component. 1 round, width bits per element. The
 * result is a share whose tensor is the value at the reader and a meta tensor elsewhere.
 */
export const replicatedReveal = defineProtocol({
  name: "replicated.reveal",
  implements: "reveal",
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, section 2.1",
  accuracy: "exact",
  forms: ["replicated"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, operand) {
    const x = operand as ReplicatedShare;
    const reader = spec.attrs.to === "server" ? "server" : "client";
    const sender = reader === "client" ? "server" : "client";
    const [mine, next] = x.components;
    const unknown = metaTensor(mine.shape, mine.width);
    const lacking = sender === "server" ? thirdComponent(party, x) : mine;
    // The value is a declared output of the program, and this message goes only to its declared reader.
    const [theirs] = yield [{ from: sender, to: reader, tensor: party.role === sender ? lacking : unknown }];
    return { kind: "share", tensor: party.role === reader ? add(add(mine, next), theirs!) : unknown } satisfies Share;
  },
});
