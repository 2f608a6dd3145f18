import type { Mutant } from "./mutant.ts";

const random = "runtime/core/random.ts";

/** Every residue drawn, as `change` of its lane `v` at index `k` of `d`; `width` is at hand. */
const drawn = (change: string): Mutant["edits"] => [
  [random, "import { packedBytes,", "import { clearHighBits, packedBytes,"],
  [
    random,
    "return unpack(bytes, shape, width);",
    `const data = unpack(bytes, shape, width).data!.slice();
      data.forEach((v, k, d) => { d[k] = ${change}; });
      clearHighBits(data, width);
      return { kind: "ring", shape, width, data };`,
  ],
];

/** What is drawn, and from which stream. */
export const randomness: readonly Mutant[] = [
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
        "const bytes = take(packedBytes(shape, width));",
        "next = keystream(material.subarray(0, KEY_BYTES), material.subarray(KEY_BYTES));\n      chunk = new Uint8Array(0);\n      const bytes = take(packedBytes(shape, width));",
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
