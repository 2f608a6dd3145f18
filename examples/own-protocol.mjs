// A protocol of your own: x² of shares with one opening. It is counted, then run by three parties in this process.
import { intTensor, memoryPair, openClient, openServer, predict, ring, runDealer } from "marillc/runtime";

/** @type {import("marillc/runtime").Protocol} */
const square = {
  name: "example.square",
  implements: "square",
  settings: ["2pc-dealer"],
  security: "semi-honest",
  paper: "multiplication with correlated randomness, Beaver, CRYPTO 1991",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, _spec, { tensor: x }) {
    const r = party.mask(x.shape, x.width);
    // Shares of r², which the dealer computes: it knows r, and never x.
    const r2 = party.dealt(ring.mul(r.secret, r.secret));
    // x + r is uniform, since r is fresh and uniform in the whole ring: safe to open. One yield is one round.
    const tensor = ring.add(x, r.share);
    const way = (from, to) => ({ from, to, tensor });
    const [there, back] = yield [way("client", "server"), way("server", "client")];
    const e = ring.add(tensor, party.role === "client" ? back : there);
    // x² = e² − 2·e·r + r²; what is public belongs to one share.
    const rest = ring.sub(r2, ring.mulConstant(ring.mul(e, r.share), 2));
    return { kind: "share", tensor: party.role === "client" ? ring.add(rest, ring.mul(e, e)) : rest };
  },
};

const fixed = { shape: [3], width: 32, scale: 0, lo: -1000, hi: 1e6 };
const spec = { operands: [fixed], result: fixed, attrs: { to: "client" } };
const program = {
  name: "square",
  hash: "0".repeat(64), // of a compiled program: the SHA-256 of its text
  setting: "2pc-dealer",
  inputs: { x: fixed },
  outputs: { y: { ...fixed, to: "client" } },
  weights: {},
  *body({ protocols }, party, { x }) {
    const shared = yield* protocols.seededShare.run(party.at("x"), spec, x);
    const squared = yield* square.run(party.at("square"), spec, shared);
    return { y: yield* protocols.oneWayReveal.run(party.at("y"), spec, squared) };
  },
};
console.log("predicted", predict(program).online.bytes);

const [client, atClient] = memoryPair("client", "server");
const [clientDealer, dealerClient] = memoryPair("client", "dealer");
const [serverDealer, dealerServer] = memoryPair("server", "dealer");
const tensors = new Map();
const asker = openClient({ program, tensors, peer: client, dealer: clientDealer });
const answerer = openServer({ program, tensors, peer: atClient, dealer: serverDealer });
const dealing = runDealer(program, { client: dealerClient, server: dealerServer });
const answer = (await asker).query({ x: intTensor([3], Float64Array.of(3, -7, 999)) });
await (await answerer).serve();
console.log("x²", [...(await answer).outputs.get("y").data]);
await Promise.all([(await asker).end(), (await answerer).serve(), dealing]);
