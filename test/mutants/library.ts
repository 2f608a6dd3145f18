import type { Mutant } from "./mutant.ts";

const dealer = "runtime/correlations/dealer.ts";
const prepare = "runtime/correlations/preparing-party.ts";
const a2b = "runtime/protocols/families/a2b/a2b.ts";
const beaver = "runtime/protocols/families/beaver/beaver.ts";
const dpfLookup = "runtime/protocols/lookup/dpf-lookup.ts";
const faithful = "runtime/protocols/truncation/faithful-truncate.ts";
const ottt = "runtime/protocols/lookup/ottt-lookup.ts";
const pir = "runtime/protocols/lookup/private-lookup.ts";
const replicated = "runtime/protocols/families/replicated/replicated-sharing.ts";
const replicatedIo = "runtime/protocols/families/replicated/replicated-io.ts";
const replicatedTruncation = "runtime/protocols/families/replicated/replicated-truncation-steps.ts";
const sigma = "runtime/protocols/families/sigma/sigma-core.ts";
const sine = "runtime/protocols/families/beaver/opened-sine.ts";
const importRingOfFamily = 'import * as ring from "../../../ring/index.ts";';
const importRing = 'import * as ring from "../ring/index.ts";';
const ggm = "runtime/ring/ggm.ts";

/** The party, whose masks are 0 in all three readings; `sub` is the name of a kernel that is 0 on equal operands. */
const unmasked = (sub = "sub"): string => `{
    ...party,
    mask: (shape, width) => {
      const m = party.mask(shape, width);
      return { ...m, share: ${sub}(m.share, m.share), secret: ${sub}(m.secret, m.secret) };
    },
  }`;
const bitInTheClear = "ours: selective opening, a comparison's bit in the clear";

/** Replicated shares, lookups, point functions, truncations, and the protocols of CrypTen and SIGMA. */
export const library: readonly Mutant[] = [
  {
    name: "a product of replicated shares has no share of zero",
    origin: "CrypTen #518: mul, matmul, conv, square and AND in replicated.py",
    edits: [
      [replicated, "const mine = add(z, sub(random[(at + 1) % 3]!, random[at]));", "void random;\n  const mine = z;"],
    ],
    by: "replicated product: fixed view",
  },
  {
    name: "the receiver knows the key in a share of zero",
    origin: "ours: a pairwise key of Araki et al. (CCS 2016) at the third party",
    edits: [[replicated, "sub(random[(at + 1) % 3]!, random[at])", "mulConstant(random[at], 3)"]],
    by: "replicated product: fixed view",
  },
  {
    name: "an input is replicated without its mask",
    origin: "MP-SPDZ 0.3.9: missing randomisation before revealing",
    edits: [[replicated, "const mine = sub(x, r);", "const mine = x;"]],
    by: "replicated input: fixed view",
  },
  {
    name: "an input of the server's is replicated without its mask",
    origin: "MP-SPDZ 0.3.9: missing randomisation before revealing",
    edits: [[replicated, "const mine = sub(x, s);", "const mine = x;"]],
    by: "replicated server's input: fixed view",
  },
  {
    name: "one party's half of a result is not masked when it is replicated",
    origin: "in kind CrypTen #518: a message that nothing hides",
    edits: [[replicated, 'party.role === "server" ? sub(x, s) : other', 'party.role === "server" ? x : other']],
    by: "replicated truncation: fixed view",
  },
  {
    name: "a replicated truncation opens its operand itself",
    origin: "SPU #811: unit tests passed because r was 0",
    edits: [[replicatedTruncation, "const mine = add(raised, r.share);", "const mine = raised;"]],
    by: "replicated truncation: fixed view",
  },
  {
    name: "a replicated output goes to the helper too",
    origin: "in kind arXiv 2503.09022: an opened value reaches a server",
    edits: [
      [
        replicatedIo,
        "tensor: party.role === sender ? lacking : unknown }]",
        'tensor: party.role === sender ? lacking : unknown }, { from: sender, to: "dealer", tensor: party.role === sender ? (sender === "server" ? mine : next) : unknown }]',
      ],
    ],
    by: "replicated output: fixed view of the helper",
  },
  {
    name: "the helper's row of a table goes out unmasked",
    origin: "in kind CrypTen #518: a message that nothing hides",
    edits: [[pir, "add(picked(second, 1), r)", "picked(second, 1)"]],
    by: "private lookup: all randomness but the key's",
  },
  {
    name: "the second root of a private lookup's key is a constant",
    origin: "ABY #4, #5: constant seed by default",
    edits: [
      [pir, 'import * as ring from "../../ring/index.ts";'],
      [
        pir,
        'const second = party.sharedRandomWithDealer("client", [count, 2], 64);',
        "const second = ring.zeros([count, 2], 64);",
      ],
    ],
    by: "private lookup: fixed view",
  },
  {
    name: "the server's root of a point function is 0",
    origin: "MP-SPDZ 0.2.3: all-zero keys",
    edits: [
      [
        dealer,
        'serverMask: (shape, width) => server(label, "server").ring(shape, width),',
        'serverMask: (shape, width) => { const t = server(label, "server").ring(shape, width); return sub(t, t); },',
      ],
      [prepare, 'streams(label, "server").ring(shape, width)', "ring.zeros(shape, width)"],
      [prepare, importRing],
      [prepare, '  widen,\n} from "../ring/index.ts";', '  widen,\n  zeros,\n} from "../ring/index.ts";'],
    ],
    by: "comparison by a point function: fixed view",
  },
  {
    name: "the last correction of a point function's key lacks the seeds",
    origin: "in kind libOTe #166: what a hash or a seed should hide stands bare",
    edits: [[ggm, "blocks[at + k] = nodes[0][k]! ^ nodes[1][k]! ^ (here", "blocks[at + k] = (here"]],
    by: "comparison by a point function: fixed view",
  },
  {
    name: "a lookup opens its entry unmasked",
    origin: "MP-SPDZ 0.3.9: missing randomisation before revealing",
    edits: [
      [
        dpfLookup,
        'maskAndOpen(party, party.role === "client" ? sums : neg(sums))',
        `maskAndOpen(${unmasked()}, party.role === "client" ? sums : neg(sums))`,
      ],
    ],
    by: "lookup by a point function: fixed view",
  },
  {
    name: "both parties see the one-time vector",
    origin: "an unmasked one-time truth table (Ishai et al., TCC 2013, require both shares)",
    edits: [[ottt, "party.dealt(unitVectors(", "party.broadcast(unitVectors("]],
    by: "one-time vector: fixed view",
  },
  {
    name: "a faithful truncation opens its borrow",
    origin: bitInTheClear,
    edits: [[faithful, "maskAndOpen(party, entryAt(borrow, 0))", `maskAndOpen(${unmasked()}, entryAt(borrow, 0))`]],
    by: "faithful truncation: fixed view",
  },
  {
    name: "both parties see a truncated mask",
    origin: "in kind Li et al. (USENIX Security 2023): a truncation tells bits of its mask",
    edits: [
      [
        faithful,
        "party.dealt(resizeRing(shiftRight(x.mask.secret, by), width))",
        "party.broadcast(resizeRing(shiftRight(x.mask.secret, by), width))",
      ],
    ],
    by: "faithful truncation: fixed view",
  },
  {
    name: "SIGMA's truncation opens its borrow",
    origin: bitInTheClear,
    edits: [[sigma, "maskAndOpen(party, entryAt(share, 0))", `maskAndOpen(${unmasked()}, entryAt(share, 0))`]],
    by: "SIGMA's truncation: fixed view",
  },
  {
    name: "both parties see the high bits of a mask of SIGMA's",
    origin: "in kind Li et al. (USENIX Security 2023): a truncation tells bits of its mask",
    edits: [
      [
        sigma,
        "party.dealt(narrow(shiftRight(x.mask.secret, by), left))",
        "party.broadcast(narrow(shiftRight(x.mask.secret, by), left))",
      ],
    ],
    by: "SIGMA's truncation: fixed view",
  },
  {
    name: "the bit of a conversion is opened in the clear",
    origin: "in kind MP-SPDZ 0.2.5: random bits that are not random",
    edits: [
      [
        a2b,
        "maskAndOpen(party, concat([reshape(bit, shape), none], 0))",
        `maskAndOpen(${unmasked("add")}, concat([reshape(bit, shape), none], 0))`,
      ],
    ],
    by: "CrypTen's bit to ring: fixed view",
  },
  {
    name: "a triple opens the weight unmasked",
    origin: "in kind CrypTen #505: the provider for debugging, whose triples hide nothing, as the default",
    edits: [
      [beaver, importRingOfFamily],
      [
        beaver,
        'maskAndOpen(party.at("y"), y)',
        `maskAndOpen(((party) => (${unmasked("ring.sub")}))(party.at("y")), y)`,
      ],
    ],
    by: "product by a triple: fixed view of the client",
  },
  {
    name: "a sine opens its argument over the whole ring",
    origin: "SHAFT (NDSS 2025): opens x − t over 64 bits with t ∈ [0, period)",
    edits: [
      [sine, importRingOfFamily],
      [sine, 'import * as boundary from "../../boundary/index.ts";'],
      [
        sine,
        `function* openWhole(party, share, bits) {
  const t = party.mask(share.shape, bits);
  const mine = ring.add(share, ring.widen(t.share, share.width));
  return { opened: ring.narrow(ring.add(mine, yield* boundary.exchangeTensors(party, mine)), bits), mask: t };
}`,
      ],
      [sine, "yield* maskAndOpen(", "yield* openWhole("],
      [
        sine,
        "narrow(additiveShareOf(party, operand!, spec.operands[0]!.width), periodBits(spec))",
        "additiveShareOf(party, operand!, spec.operands[0]!.width), periodBits(spec)",
      ],
    ],
    by: "sine of an opened argument: fixed view",
  },
];
