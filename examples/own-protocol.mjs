// Defines a protocol: x² of shares with one opening. Counts it, then runs it with three parties in this process.
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
    // Shares of r² from the dealer, which knows r but never x.
    const r2 = party.dealt(ring.mul(r.secret, r.secret));
    // x + r is safe to open: r is fresh and uniform in the ring, so x + r is uniform. One yield is one round.
    const tensor = ring.add(x, r.share);
    const send = (from, to) => ({ from, to, tensor });
    const [fromClient, fromServer] = yield [send("client", "server"), send("server", "client")];
    const e = ring.add(tensor, party.role === "client" ? fromServer : fromClient);
    // x² = e² − 2·e·r + r²; only one party adds the public e².
    const rest = ring.sub(r2, ring.mulConstant(ring.mul(e, r.share), 2));
    return { kind: "share", tensor: party.role === "client" ? ring.add(rest, ring.mul(e, e)) : rest };
  },
};

const fixed = { shape: [3], width: 32, scale: 0, lo: -1000, hi: 1e6 };
const spec = { operands: [fixed], result: fixed, attrs: { to: "client" } };
const program = {
  name: "square",
  hash: "0".repeat(64), // for a compiled program: the SHA-256 of its text
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

const [clientServer, serverClient] = memoryPair("client", "server");
const [clientDealer, dealerClient] = memoryPair("client", "dealer");
const [serverDealer, dealerServer] = memoryPair("server", "dealer");
const tensors = new Map();
const opening = openClient({ program, tensors, peer: clientServer, dealer: clientDealer });
const accepting = openServer({ program, tensors, peer: serverClient, dealer: serverDealer });
const dealing = runDealer(program, { client: dealerClient, server: dealerServer });
const [client, server] = await Promise.all([opening, accepting]);
const answer = client.query({ x: intTensor([3], Float64Array.of(3, -7, 999)) });
await server.serve();
console.log("x²", [...(await answer).outputs.get("y").data]);
await Promise.all([client.end(), server.serve(), dealing]);
