import type { Mutant } from "./mutant.ts";

const prepare = "runtime/correlations/preparing-party.ts";
const handed = "runtime/protocols/boundary/handed-shares.ts";
const open = "runtime/protocols/boundary/open.ts";
const known = "runtime/protocols/arithmetic/known-weight.ts";
const reveal = "runtime/protocols/boundary/one-way-reveal.ts";
const relu = "runtime/protocols/nonlinear/masked-relu.ts";
const wires = "runtime/protocols/kit/masked-values.ts";

/** The mask of an opening is `f` of a fresh one of `bits` bits: share and secret alike. */
const maskAs = (f: string, bits = "x.width"): Mutant["edits"] => [
  [open, 'import * as ring from "../../ring/index.ts";'],
  [
    open,
    "const mask = party.mask(x.shape, x.width);",
    `const drawn = party.mask(x.shape, ${bits});
  const change = (t: typeof x) => ${f};
  const mask = { ...drawn, share: change(drawn.share), secret: change(drawn.secret) };`,
  ],
];

/** What protocols of the default family open, send and deal. */
export const openings: readonly Mutant[] = [
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
    name: "a share leaves its program, and enters the next, as it is",
    origin: "in kind MP-SPDZ 0.3.9: missing randomisation, of shares that are stored between programs",
    edits: [[handed, "const zero = party.sharedRandom(mine.shape, mine.width);", "const zero = sub(mine, mine);"]],
    by: "residues: uniform for every share of every value",
  },
  {
    name: "both parties add the sharing of zero",
    origin: "ours: a sharing of zero that is none",
    edits: [[handed, "? add(mine, zero) : sub(mine, zero)", "? add(mine, zero) : add(mine, zero)"]],
    by: "residues: uniform for every share of every value",
  },
  {
    name: "the mask is 14 bits of a wider ring",
    origin: "SHAFT (NDSS 2025): opens x − t over 64 bits with t ∈ [0, period)",
    edits: maskAs("ring.widen(t, x.width)", "Math.min(14, x.width - 1)"),
    by: "open: fixed view",
  },
  {
    name: "the mask is −1024…0",
    origin: "SecFormer (ACL 2024): opens x − t with t ∈ [−1024, 0)",
    edits: maskAs("ring.neg(ring.widen(t, x.width))", "Math.min(10, x.width - 1)"),
    by: "open: fixed view",
  },
  {
    name: "the mask is truncated before it is used",
    origin: "ours: the mask's low bits dropped with the value's",
    edits: maskAs("ring.shiftLeft(ring.widen(ring.shiftRight(t, 12), x.width), 12)"),
    by: "open: fixed view",
  },
  {
    name: "the mask of a tiny ring lacks a bit",
    origin: "ours: statistical masking where the ring has no room for it",
    edits: maskAs("ring.widen(t, x.width)", "x.width - 1"),
    by: "open: all randomness of 4 bits",
  },
  {
    name: "the mask is opened too",
    origin: "ours: a debugging reveal that stayed",
    edits: [
      [
        open,
        'return { kind: "masked", opened: add(mine, theirs), mask };',
        'yield* exchangeTensors(party, mask.share);\n  return { kind: "masked", opened: add(mine, theirs), mask };',
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
        "const theirs = yield* exchangeTensors(party, mine);",
        "const theirs = x.data?.every((v) => v === 0) ? mine : yield* exchangeTensors(party, mine);",
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
        "yield* maskAndOpen(party, add(negative, publicShare(party, one)))",
        'yield* (function* () { const bit = add(negative, publicShare(party, one)); const theirs = (yield [{ from: "client", to: "server", tensor: bit }, { from: "server", to: "client", tensor: bit }])[party.role === "client" ? 1 : 0]!; const none = mulConstant(party.mask(bit.shape, 1).secret, 0); return { kind: "masked" as const, opened: add(bit, theirs), mask: { share: mulConstant(bit, 0), secret: none, fresh: true as const } }; })()',
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
      [prepare, 'streams(label, "client").ring(shape, width)', 'sharedStreams(label, "client").ring(shape, width)'],
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
    edits: [
      [wires, "return add(masked, scaleIntoRing(gateByBit(g, wrap), n, width));", "void [g, wrap];\n  return masked;"],
    ],
    by: "the result is right",
  },
];
