import type { Mutant } from "./mutant.ts";

const importRing = 'import * as ring from "../ring/index.ts";';
const streams = "runtime/correlations/random-streams.ts";
const stock = "runtime/correlations/correlation-store.ts";
const dealer = "runtime/correlations/dealer.ts";
const prepare = "runtime/correlations/preparing-party.ts";
const digits = "runtime/protocols/comparison/comparison-digits.ts";

/** How masks and dealt shares come about, and that each is had once. */
export const correlations: readonly Mutant[] = [
  {
    name: "operators share a stream",
    origin: "CowGear in MP-SPDZ 0.1.2: triples used again",
    edits: [[streams, "createPrg(seed, ...scope, label, use)", "createPrg(seed, ...scope, use)"]],
    by: "openings of two operators: fixed view",
  },
  {
    name: "numbers are dropped from labels: two operands, or a cached row and the next, have one mask",
    origin: "in kind libOTe #166, yacl #640: one tweak for two uses",
    edits: [
      [
        streams,
        "createPrg(seed, ...scope, label, use)",
        'createPrg(seed, ...scope, label.replace(/[0-9]+/g, ""), use)',
      ],
    ],
    by: "product: fixed view",
  },
  {
    name: "masks and dealt shares are one stream",
    origin: "ours: one generator for two purposes",
    edits: [[streams, "createPrg(seed, ...scope, label, use)", "createPrg(seed, ...scope, label)"]],
    by: "streams are separate",
  },
  {
    name: "the query is left out of the label",
    origin: "in kind MP-SPDZ #953: single use is not enforced",
    edits: [
      [prepare, '"query", String(sources.query)', '"query"'],
      [dealer, '"query", String(sources.query)', '"query"'],
    ],
    by: "queries have masks of their own",
  },
  {
    name: "a stream is opened anew for each draw",
    origin: "GKWY19 (eprint 2019/074): tweaks that repeat",
    edits: [[streams, "uses.set(use, prg);", ""]],
    by: "streams are separate",
  },
  {
    name: "the correlation store returns an item again",
    origin: "CowGear in MP-SPDZ 0.1.2: triples used again",
    edits: [
      [stock, "next.set(label, index + 1);", ""],
      [stock, "shelf[index] = undefined as unknown as RingTensor;", ""],
    ],
    by: "a correlation is had once",
  },
  {
    name: "the correlation store starts over when it is empty",
    origin: "Carbyne Stack Castor: tuples obtainable again under the same request",
    edits: [
      [stock, "next.get(label) ?? 0", "(next.get(label) ?? 0) % (shelf?.length ?? 1)"],
      [stock, "shelf[index] = undefined as unknown as RingTensor;", ""],
    ],
    by: "a correlation is had once",
  },
  {
    name: "both parties draw the same mask share",
    origin: "ours: one seed for both; in kind SPU #684, a seed fix",
    edits: [[prepare, 'streams(label, "mask").ring(shape, width)', 'sharedStreams(label, "mask").ring(shape, width)']],
    by: "open: fixed view",
  },
  {
    name: "the client's mask share is 0",
    origin: "in kind CrypTen #450, #505: the trusted-first-party provider, for debugging only, as the default",
    edits: [
      [
        prepare,
        'streams(label, "mask").ring(shape, width)',
        'role === "client" ? ring.zeros(shape, width) : streams(label, "mask").ring(shape, width)',
      ],
      [prepare, importRing],
      [prepare, '  widen,\n} from "../ring/index.ts";', '  widen,\n  zeros,\n} from "../ring/index.ts";'],
    ],
    by: "open: fixed view",
  },
  {
    name: "a one-way mask is 0",
    origin: "in kind TFE #380, PySyft #2370: silent fallback to insecure randomness",
    edits: [
      [prepare, 'streams(label, "client").ring(shape, width)', "ring.zeros(shape, width)"],
      [prepare, importRing],
      [prepare, '  widen,\n} from "../ring/index.ts";', '  widen,\n  zeros,\n} from "../ring/index.ts";'],
    ],
    by: "known weight: fixed view",
  },
  {
    name: "the dealer sends what it knows, unmasked",
    origin: "in kind CrypTen #505: one party that sees every correlation",
    edits: [[dealer, 'pack(sub(secret, client(label, "dealt").ring(secret.shape, secret.width)))', "pack(secret)"]],
    by: "extend: fixed view",
  },
  {
    name: "the dealer sends its tables unmasked",
    origin: "an unmasked one-time truth table (Ishai et al., TCC 2013, require both shares)",
    edits: [
      [dealer, 'pack(xorWords(secret, client(label, "dealt").ring(secret.shape, secret.width)))', "pack(secret)"],
    ],
    by: "relu: fixed view",
  },
  {
    name: "a comparison's one-time bits are 0",
    origin: "MP-SPDZ 0.2.3: all-zero keys",
    edits: [
      [
        digits,
        "yield* maskAndOpen(party, stack(",
        "yield* maskAndOpen({ ...party, mask: (shape, width) => { const m = party.mask(shape, width); return { ...m, share: ring.xorWords(m.share, m.share), secret: ring.xorWords(m.secret, m.secret) }; } }, stack(",
      ],
      [digits, 'import * as ring from "../../ring/index.ts";'],
    ],
    by: "relu: fixed view",
  },
  {
    name: "the client knows a comparison's one-time bits",
    origin: "ours: the server's half of the mask left out",
    edits: [
      [
        digits,
        "yield* maskAndOpen(party, stack(",
        "yield* maskAndOpen({ ...party, mask: (shape, width) => { const t = party.clientMask(shape, width); return { share: party.role === 'server' ? ring.zeros(shape, width) : t, secret: t, fresh: true }; } }, stack(",
      ],
      [digits, 'import * as ring from "../../ring/index.ts";'],
    ],
    by: "relu: fixed view",
  },
  {
    name: "the added bits of an extended mask are not masked",
    origin: "ours: the top of an extended mask says whether the sum of its shares wrapped",
    edits: [
      [
        dealer,
        'const top = client(label, "dealt").ring(secret.shape, width - secret.width);',
        'const t = client(label, "dealt").ring(secret.shape, width - secret.width);\n      const top = sub(t, t);',
      ],
    ],
    by: "extend: fixed view",
  },
  {
    name: "the dealer masks with the server's seed",
    origin: "ours: a correlation dealt to the wrong party",
    edits: [[dealer, 'sub(secret, client(label, "dealt")', 'sub(secret, server(label, "dealt")']],
    by: "the result is right",
  },
];
