import type { ProbeName } from "./probes.ts";
import type { SessionProbeName } from "./session-probes.ts";

/**
 * Security bugs of this field, each put into our own sources: every occurrence of `from` becomes `to`. The origin names
 * the system and its issue, paper or release note; "in kind": the same class of slip; "ours": what no one published but a
 * reviewer of these sources would look for. docs/mutants.md is made from this table.
 */
export interface Mutant {
  readonly name: string;
  readonly origin: string;
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  /** The check that kills it, and passes on the sources as they are. */
  readonly by: ProbeName | SessionProbeName;
}

const random = "runtime/random.ts";
const streams = "runtime/correlations/streams.ts";
const stock = "runtime/correlations/stock.ts";
const dealer = "runtime/correlations/dealer.ts";
const prepare = "runtime/correlations/prepare.ts";
const open = "runtime/protocols/open.ts";
const known = "runtime/protocols/known-weight.ts";
const reveal = "runtime/protocols/one-way-reveal.ts";
const relu = "runtime/protocols/masked-relu.ts";
const digits = "runtime/protocols/comparison-digits.ts";
const wires = "runtime/protocols/wires.ts";
const toys = "test/mutants/toys.ts";

/** Every residue drawn, as `change` of its lane `v` at index `k` of `d`; `width` is at hand. */
const drawn = (change: string): Mutant["edits"] => [
  [
    random,
    "canonicalise(result.data!, width);",
    `result.data!.forEach((v, k, d) => { d[k] = ${change}; });\n      canonicalise(result.data!, width);`,
  ],
];

/** The mask of an opening is `f` of a fresh one of `bits` bits: share and secret alike. */
const maskAs = (f: string, bits = "x.width"): Mutant["edits"] => [
  [
    open,
    'import { add } from "../ring/index.ts";',
    'import { add, neg, shiftLeft, shiftRight, widen } from "../ring/index.ts";\nvoid [neg, shiftLeft, shiftRight, widen];',
  ],
  [
    open,
    "const mask = party.mask(x.shape, x.width);",
    `const drawn = party.mask(x.shape, ${bits});
  const change = (t: typeof x) => ${f};
  const mask = { ...drawn, share: change(drawn.share), secret: change(drawn.secret) };`,
  ],
];

const randomness: readonly Mutant[] = [
  {
    name: "mask is 0",
    origin: "SPU #811: unit tests passed because r was 0",
    edits: drawn("v & 0"),
    by: "open: fixed view",
  },
  {
    name: "seven of eight mask bits are 0",
    origin: "MP-SPDZ 0.2.0, insufficient randomness",
    edits: drawn("v & 0x01010101"),
    by: "open: fixed view",
  },
  {
    name: "bits are 1 three times of four",
    origin: "MP-SPDZ 0.2.5, skewed random bits",
    edits: drawn("v | (v >>> 1)"),
    by: "open: fixed view",
  },
  {
    name: "mask has lost its low bit",
    origin: "ours: one of five measured mutants that uniformity tests miss",
    edits: drawn("k % 2 === 0 ? v & ~1 : v"),
    by: "open: fixed view",
  },
  {
    name: "mask has its top two bits clear",
    origin: "ours: signed integers where ring elements belong",
    edits: drawn("width > 32 && k % 2 === 0 ? v : v & (2 ** ((width - 1) % 32 - 1) - 1)"),
    by: "open: fixed view",
  },
  {
    name: "mask is reduced modulo three quarters of the ring",
    origin: "modulo bias; MP-SPDZ 0.3.9, biased shuffles",
    edits: drawn(
      "width > 32 && k % 2 === 0 ? v : ((v >>> ((width - 2) % 32)) & 3) === 3 ? v & (2 ** ((width - 2) % 32) - 1) : v",
    ),
    by: "open: fixed view",
  },
  {
    name: "mask has 32 bits in a ring of 44",
    origin: "ours: a 32-bit generator for a wider ring; in kind SHAFT's window",
    edits: drawn("width > 32 && k % 2 === 1 ? 0 : v"),
    by: "open: fixed view",
  },
  {
    name: "mask is 2^26 everywhere",
    origin: "On Probabilistic Truncation (AAAI 2025): published code used a fixed r = 2^26, which hid its failures",
    edits: drawn("width > 32 && k % 2 === 1 ? 0 : 2 ** 26"),
    by: "open: fixed view",
  },
  {
    name: "neighbours share a mask",
    origin: "in kind libOTe #166: one tweak for two elements",
    edits: drawn("width > 32 && k % 4 >= 2 ? d[k - 2]! : v"),
    by: "open two neighbours: fixed view",
  },
  {
    name: "every draw restarts the key stream",
    origin: "yacl #640, #641: begin_index = 0 in each batch reuses tweaks",
    edits: [
      [random, "const next = keystream(", "let next = keystream("],
      [
        random,
        "const result = zeros(shape, width);",
        "const result = zeros(shape, width);\n      next = keystream(material.subarray(0, BLOCK_BYTES), material.subarray(BLOCK_BYTES));\n      chunk = new Uint8Array(0);",
      ],
    ],
    by: "two openings of one operator: fixed view",
  },
  {
    name: "seed is ignored",
    origin: "ABY #4, #5: constant seed by default",
    edits: [[random, "expand(checkSeed(seed), encode(", "expand(new Uint8Array(32), encode("]],
    by: "streams are separate",
  },
  {
    name: "labels are joined without their lengths",
    origin: "ours: ambiguous domain separation",
    edits: [
      [random, "view.setUint32(at, part.length, true);", "void view;"],
      [random, "out.set(part, at + 4);", "out.set(part, at);"],
      [random, "at += 4 + part.length;", "at += part.length;"],
    ],
    by: "streams are separate",
  },
  {
    name: "seeds and streams share a purpose",
    origin: "ours: a derived seed is the key of the stream of its label",
    edits: [
      [random, '"marillc seed"', '"marillc"'],
      [random, '"marillc stream"', '"marillc"'],
    ],
    by: "keys and seeds are separate",
  },
];

const correlations: readonly Mutant[] = [
  {
    name: "operators share a stream",
    origin: "CowGear in MP-SPDZ 0.1.2: triples used again",
    edits: [[streams, "createPrg(seed, ...scope, label, use)", "createPrg(seed, ...scope, use)"]],
    by: "openings of two operators: fixed view",
  },
  {
    name: "masks and dealt shares are one stream",
    origin: "ours: one generator for two purposes",
    edits: [[streams, "createPrg(seed, ...scope, label, use)", "createPrg(seed, ...scope, label)"]],
    by: "streams are separate",
  },
  {
    name: "the query is left out of the label",
    origin: "in kind MP-SPDZ #953: single use is not kept",
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
    name: "the stock gives an item again",
    origin: "CowGear in MP-SPDZ 0.1.2: triples used again",
    edits: [
      [stock, "next.set(label, index + 1);", ""],
      [stock, "shelf[index] = undefined as unknown as RingTensor;", ""],
    ],
    by: "a correlation is had once",
  },
  {
    name: "the stock starts over when it is empty",
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
    edits: [[prepare, 'streams(label, "mask").ring(shape, width)', 'jointStreams(label, "mask").ring(shape, width)']],
    by: "open: fixed view",
  },
  {
    name: "the client's mask share is 0",
    origin: "in kind CrypTen #450, #505: the trusted-first-party provider, for debugging only, as the default",
    edits: [
      [
        prepare,
        'streams(label, "mask").ring(shape, width)',
        'role === "client" ? zeros(shape, width) : streams(label, "mask").ring(shape, width)',
      ],
      [
        prepare,
        'import { ghost, packedBytes, type RingTensor, type Shape } from "../ring/tensor.ts";',
        'import { ghost, packedBytes, type RingTensor, type Shape, zeros } from "../ring/tensor.ts";',
      ],
    ],
    by: "open: fixed view",
  },
  {
    name: "a one-way mask is 0",
    origin: "in kind TFE #380, PySyft #2370: silent fallback to insecure randomness",
    edits: [
      [prepare, 'streams(label, "client").ring(shape, width)', "zeros(shape, width)"],
      [
        prepare,
        'import { ghost, packedBytes, type RingTensor, type Shape } from "../ring/tensor.ts";',
        'import { ghost, packedBytes, type RingTensor, type Shape, zeros } from "../ring/tensor.ts";',
      ],
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
        "yield* openWire(party, stack(",
        "yield* openWire({ ...party, mask: (shape, width) => { const m = party.mask(shape, width); return { ...m, share: xorWords(m.share, m.share), secret: xorWords(m.secret, m.secret) }; } }, stack(",
      ],
      [
        digits,
        'import { openWire } from "./open.ts";',
        'import { xorWords } from "../ring/index.ts";\nimport { openWire } from "./open.ts";',
      ],
    ],
    by: "relu: fixed view",
  },
  {
    name: "the client knows a comparison's one-time bits",
    origin: "ours: the server's half of the mask left out",
    edits: [
      [
        digits,
        "yield* openWire(party, stack(",
        "yield* openWire({ ...party, mask: (shape, width) => { const t = party.clientMask(shape, width); return { share: party.role === 'server' ? zeros(shape, width) : t, secret: t, fresh: true }; } }, stack(",
      ],
      [
        digits,
        'import type { RingTensor } from "../ring/tensor.ts";',
        'import { type RingTensor, zeros } from "../ring/tensor.ts";',
      ],
    ],
    by: "relu: fixed view",
  },
  {
    name: "the added bits of a lifted mask are not masked",
    origin: "ours: the top of a lifted mask says whether the sum of its shares wrapped",
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

const bodies: readonly Mutant[] = [
  {
    name: "an opening sends the share without its mask",
    origin: "MP-SPDZ 0.3.9: missing randomisation before revealing",
    edits: [[open, "const mine = add(x, mask.share);", "const mine = x;"]],
    by: "open: fixed view",
  },
  {
    name: "an opening sends the mask instead of the masked share",
    origin: "ours: the two summands confused",
    edits: [[open, "const mine = add(x, mask.share);", "const mine = mask.share;"]],
    by: "the result is right",
  },
  {
    name: "the mask is 14 bits of a wider ring",
    origin: "SHAFT (NDSS 2025): opens x − t over 64 bits with t ∈ [0, period)",
    edits: maskAs("widen(t, x.width)", "Math.min(14, x.width - 1)"),
    by: "open: fixed view",
  },
  {
    name: "the mask is −1024…0",
    origin: "SecFormer (ACL 2024): opens x − t with t ∈ [−1024, 0)",
    edits: maskAs("neg(widen(t, x.width))", "Math.min(10, x.width - 1)"),
    by: "open: fixed view",
  },
  {
    name: "the mask is truncated before it is used",
    origin: "ours: the mask's low bits dropped with the value's",
    edits: maskAs("shiftLeft(widen(shiftRight(t, 12), x.width), 12)"),
    by: "open: fixed view",
  },
  {
    name: "the mask of a tiny ring lacks a bit",
    origin: "ours: statistical masking where the ring has no room for it",
    edits: maskAs("widen(t, x.width)", "x.width - 1"),
    by: "open: all randomness of 4 bits",
  },
  {
    name: "the mask is opened too",
    origin: "ours: a debugging reveal that stayed",
    edits: [
      [
        open,
        'return { kind: "wire", opened: add(mine, theirs), mask };',
        'yield* exchange(party, mask.share);\n  return { kind: "wire", opened: add(mine, theirs), mask };',
      ],
    ],
    by: "open: fixed view",
  },
  {
    name: "an opening is left out where all is 0",
    origin: "ours: an early exit on a secret, which lengths tell",
    edits: [
      [
        open,
        "const theirs = yield* exchange(party, mine);",
        "const theirs = x.data?.every((v) => v === 0) ? mine : yield* exchange(party, mine);",
      ],
    ],
    by: "lengths are those of the cost model",
  },
  {
    name: "the sign is opened to select by it",
    origin: "ours: selective opening, a comparison's bit in the clear instead of a multiplexer",
    edits: [
      [
        relu,
        "yield* openWire(party, add(negative, publicShare(party, one)))",
        'yield* (function* () { const bit = add(negative, publicShare(party, one)); const theirs = (yield [{ from: "client", to: "server", tensor: bit }, { from: "server", to: "client", tensor: bit }])[party.role === "client" ? 1 : 0]!; const none = mulConstant(party.mask(bit.shape, 1).secret, 0); return { kind: "wire" as const, opened: add(bit, theirs), mask: { share: mulConstant(bit, 0), secret: none, fresh: true as const } }; })()',
      ],
    ],
    by: "relu: fixed view",
  },
  {
    name: "the client sends its share to the weight's owner unmasked",
    origin: "in kind CrypTen #518: a message that nothing hides",
    edits: [[known, 'party.role === "client" ? sub(x, a)', 'party.role === "client" ? x']],
    by: "known weight: fixed view",
  },
  {
    name: "the server knows the client's mask",
    origin: "ours: the one-way mask from the seed that both share",
    edits: [
      [prepare, 'streams(label, "client").ring(shape, width)', 'jointStreams(label, "client").ring(shape, width)'],
    ],
    by: "known weight: fixed view",
  },
  {
    name: "an output goes to both parties",
    origin: "hidden states opened to the server (arXiv 2503.09022: 88 % of tokens recovered)",
    edits: [
      [
        reveal,
        "tensor: party.role === sender ? mine : unknown }]",
        "tensor: party.role === sender ? mine : unknown }, { from: reader, to: sender, tensor: party.role === reader ? mine : unknown }]",
      ],
    ],
    by: "reveal to the client: fixed view of the server",
  },
  {
    name: "an output goes to the wrong party",
    origin: "ours: reader and sender swapped",
    edits: [
      [reveal, 'spec.attrs.to === "server" ? "server" : "client"', 'spec.attrs.to === "server" ? "client" : "server"'],
    ],
    by: "reveal to the server: fixed view of the client",
  },
  {
    name: "a wrap of the mask is dropped",
    origin: "CrypTen #347, #367: wrong with low probability, and silently",
    edits: [[wires, "return add(masked, raise(gate(g, wrap), n, width));", "void [g, wrap];\n  return masked;"]],
    by: "the result is right",
  },
  {
    name: "a kept wire's mask opens the next row",
    origin: "ours: a KV cache whose mask serves the rows to come",
    edits: [
      [
        toys,
        'const mask = party.at("new").mask(y.shape, y.width);',
        "const mask = { ...kept.mask, share: kept.mask.share! };",
      ],
    ],
    by: "kept wires: fixed view",
  },
  {
    name: "a product of replicated shares has no share of zero",
    origin: "CrypTen #518: mul, matmul, conv, square and AND in replicated.py",
    edits: [[toys, "const masked = add(local, zero);", "void zero;\n  const masked = local;"]],
    by: "replicated product: fixed view of the client",
  },
  {
    name: "the receiver knows both keys of a share of zero",
    origin: "ours: a pairwise key of Araki et al. (CCS 2016) at the third party",
    edits: [[toys, "server: sub(keys.server, keys.client),", "server: sub(keys.client, keys.client),"]],
    by: "replicated product: fixed view of the client",
  },
  {
    name: "a lookup's index is opened without a mask",
    origin: "ours: a table lookup in the clear",
    edits: [[toys, "const mine = [add(x, r.share), add(y, s.share)];", "const mine = [x, add(y, s.share)];"]],
    by: "lookup tables: fixed view",
  },
  {
    name: "one table serves two lookups",
    origin: "in kind CowGear's triples (MP-SPDZ 0.1.2): a one-time truth table used twice",
    edits: [[toys, 'const s = party.at("second").mask(y.shape, y.width);', "const s = r;"]],
    by: "lookup tables: fixed view",
  },
];

const dealing = "runtime/session/dealer-session.ts";
const session = "runtime/session/party-session.ts";
const weights = "runtime/session/weights.ts";
const systemSeed = "systemRandom(SEED_BYTES)";

const sessions: readonly Mutant[] = [
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
    name: "the client's own seed is a constant",
    origin: "in kind ABY #4: constant seed by default",
    edits: [[session, 'role === "client" ? freshSeed()', 'role === "client" ? new Uint8Array(seedBytes)']],
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
      [dealing, "const clientSeed = freshSeed();", "const clientSeed = kept.client;"],
      [dealing, "const serverSeed = freshSeed();", "const serverSeed = kept.server;"],
      [
        dealing,
        "export async function runDealer(",
        "const kept = { client: freshSeed(), server: freshSeed() };\nexport async function runDealer(",
      ],
    ],
    by: "session: nothing is sent twice",
  },
  {
    name: "every query is query 0",
    origin: "in kind MP-SPDZ #953: single use is not kept",
    edits: [
      [session, "query: next++, stock", "query: 0 * next++, stock"],
      [dealing, "query: next,", "query: 0,"],
    ],
    by: "session: nothing is sent twice",
  },
  {
    name: "the dealer deals a query as often as it is asked",
    origin: "Carbyne Stack Castor: tuples obtainable again after a crash",
    edits: [
      [dealing, "if (request.query !== next) throw", "if (request.query > next) throw"],
      [dealing, "query: next,", "query: request.query,"],
    ],
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
    edits: [[weights, 'pads(name, "pad")', 'createStreams(jointSeed!, "weights")("", "pad")']],
    by: "session: the dealer does not see a weight",
  },
  {
    name: "one pad hides the weight in every session",
    origin: "in kind Rushing at SPDZ (S&P 2025): state shared between sessions",
    edits: [
      [
        weights,
        'jointSeed && createStreams(jointSeed, "weights")',
        'jointSeed && createStreams(new Uint8Array(32), "weights")',
      ],
    ],
    by: "session: the dealer does not see a weight",
  },
  {
    name: "the dealer gets the seed of the pads",
    origin: "ours: a seed sent to one party too many",
    edits: [
      [
        session,
        'if (role === "client") await peer.send(jointSeed.slice());',
        'if (role === "client") await peer.send(jointSeed.slice());\n  if (role === "client") await dealer.send(jointSeed.slice());',
      ],
    ],
    by: "session: each link carries what was predicted",
  },
];

export const mutants: readonly Mutant[] = [...randomness, ...correlations, ...bodies, ...sessions];
