import type { Mutant } from "./mutant.ts";

const random = "runtime/core/random.ts";

const dealing = "runtime/session/dealer-session.ts";
const session = "runtime/session/party-session.ts";
const seeds = "runtime/session/session-seeds.ts";
const weights = "runtime/session/session-weights.ts";
const systemSeed = "systemRandom(SEED_BYTES)";

/** Seeds, set-up and queries of a session. */
export const sessions: readonly Mutant[] = [
  {
    name: "every seed is the same constant",
    origin: "ABY #4, #5: constant seed by default",
    edits: [[random, systemSeed, "new Uint8Array(SEED_BYTES).fill(7)"]],
    by: "session: nothing is sent twice",
  },
  {
    name: "seeds come from the clock",
    origin: "in kind PySyft #2370, TFE #380: silent fallback to insecure randomness",
    edits: [
      [
        random,
        systemSeed,
        "new Uint8Array(SEED_BYTES).map((_, k) => (Math.floor(Date.now() / 1e7) >>> (8 * (k % 4))) & 255)",
      ],
    ],
    by: "session: seeds are fresh in every byte",
  },
  {
    name: "seeds have four random bytes",
    origin: "in kind MP-SPDZ 0.2.0, insufficient randomness",
    edits: [[random, systemSeed, "Uint8Array.from([...systemRandom(4), ...new Uint8Array(SEED_BYTES - 4)])"]],
    by: "session: seeds are fresh in every byte",
  },
  {
    name: "the halves of the shared seed are constants",
    origin: "in kind ABY #4: constant seed by default",
    edits: [[seeds, "const half = freshSeed();", "const half = new Uint8Array(seedBytes);"]],
    by: "session: nothing is sent twice",
  },
  {
    name: "the server gets the client's seed",
    origin: "ours: one seed for both; in kind SPU #684, a seed fix",
    edits: [[dealing, "const serverSeed = freshSeed();", "const serverSeed = clientSeed;"]],
    by: "session: nothing is sent twice",
  },
  {
    name: "the dealer keeps its seeds for the next session",
    origin: "Rushing at SPDZ (S&P 2025): state shared between sessions",
    edits: [
      [dealing, "const clientSeed = freshSeed();", "const clientSeed = cache.client;"],
      [dealing, "const serverSeed = freshSeed();", "const serverSeed = cache.server;"],
      [
        dealing,
        "export async function runDealer(",
        "const cache = { client: freshSeed(), server: freshSeed() };\nexport async function runDealer(",
      ],
    ],
    by: "session: nothing is sent twice",
  },
  {
    name: "every query is query 0",
    origin: "in kind MP-SPDZ #953: single use is not enforced",
    edits: [
      [session, "query: session.nextQuery++,", "query: 0 * session.nextQuery++,"],
      [dealing, "query: request.query,", "query: 0,"],
    ],
    by: "session: nothing is sent twice",
  },
  {
    name: "one mask for all weights under a mask: the client sees their differences",
    origin: "ours: a two-time pad; in kind libOTe #166",
    edits: [[weights, 'masks(name, "mask")', 'createStreams(serverSeed!, "weights")("", "mask")']],
    by: "session: the client does not see that two weights are equal",
  },
  {
    name: "the server takes any number for a query",
    origin: "in kind MP-SPDZ #953: single use is not enforced",
    edits: [
      [session, 'request.kind === "query" && request.query !== party.nextQuery', "request.kind !== request.kind"],
    ],
    by: "session: the server answers the next query alone",
  },
  {
    name: "the dealer deals a query as often as it is asked",
    origin: "Carbyne Stack Castor: tuples obtainable again after a crash",
    edits: [[dealing, "if (request.query !== next) throw", "if (request.query > next) throw"]],
    by: "session: no query is dealt twice",
  },
  {
    name: "the server sends the dealer its weights",
    origin: "ours: the pad left out",
    edits: [[weights, "pack(sub(fromIntegers(values, width), pad))", "pack(fromIntegers(values, width))"]],
    by: "session: the dealer does not see a weight",
  },
  {
    name: "one pad hides every weight",
    origin: "ours: a two-time pad",
    edits: [[weights, 'pads(name, "pad")', 'createStreams(sharedSeed!, "weights")("", "pad")']],
    by: "session: the dealer does not see a weight",
  },
  {
    name: "one pad hides the weight in every session",
    origin: "in kind Rushing at SPDZ (S&P 2025): state shared between sessions",
    edits: [
      [
        weights,
        'sharedSeed && createStreams(sharedSeed, "weights")',
        'sharedSeed && createStreams(new Uint8Array(32), "weights")',
      ],
    ],
    by: "session: the dealer does not see a weight",
  },
  {
    name: "the dealer gets the seed of the pads",
    origin: "ours: a seed sent to one party too many",
    edits: [
      [
        seeds,
        "const due = openedBytes(weights);",
        'if (role === "client") await dealer.send(sharedSeed.slice());\n  const due = openedBytes(weights);',
      ],
    ],
    by: "session: each link carries what was predicted",
  },
];
