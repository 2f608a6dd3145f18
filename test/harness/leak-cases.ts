import type { Party } from "../../runtime/party.ts";
import type { Fixed, Protocol, Spec } from "../../runtime/protocols/define.ts";
import * as protocols from "../../runtime/protocols/index.ts";
import type { BreakName } from "./leak-breaks.ts";
import { type LeakCase, leakCase, type Secret } from "./leaks.ts";
import { orderingCases } from "./ordering-cases.ts";
import { fixed } from "./protocols.ts";

/** Every protocol at full width, with two secrets far apart in high and low bits, and the breaks that must show. */
export interface TestedCase extends LeakCase {
  readonly protocol: Protocol;
  readonly breaks: readonly BreakName[];
  /** Fewer samples than usual, where a view holds many words. */
  readonly samples?: number;
  /** Bounds and number of each operand's raw integers, to draw other secrets from. */
  readonly bounds: readonly (readonly [lo: number, hi: number, count: number])[];
}

type Shapes = (samples: number) => Spec;
const spec =
  (operands: (n: number) => readonly Fixed[], result: (n: number) => Fixed, attrs: Spec["attrs"] = {}): Shapes =>
  (n) => ({ operands: operands(n), result: result(n), attrs });

const opening: readonly BreakName[] = [
  "mask is 0",
  "mask has lost its low bit",
  "mask is drawn from a quarter of the ring",
  "seven of eight mask bits are zero",
];
/** Values that are short in their ring do not reach its highest bits: only a mask short of low bits shows. */
const inWideRing = opening.filter((name) => name !== "mask is drawn from a quarter of the ring");
const dealing: readonly BreakName[] = ["what the dealer sends is not masked"];
const comparing: readonly BreakName[] = ["a selecting bit is opened unmasked"];

function tested(
  protocol: Protocol,
  secrets: LeakCase["secrets"],
  shapes: Shapes,
  breaks: readonly BreakName[],
): TestedCase {
  const bounds = secrets[0].map((values, k) => {
    const both = [...values, ...secrets[1][k]!];
    return [Math.min(...both), Math.max(...both), values.length] as const;
  });
  return { ...leakCase(protocol, secrets, shapes), protocol, breaks, bounds };
}

const elementwise = (from: number, to: number, bound: number, width: number, attrs: Spec["attrs"] = {}): Shapes =>
  spec(
    (n) => [fixed([n], from, -bound, bound)],
    (n) => fixed([n], to, -bound, bound, width),
    attrs,
  );
const activation = (protocol: Protocol): TestedCase =>
  tested(protocol, [[[-80001]], [[7000]]], elementwise(12, 12, 32, 40), [...opening, ...dealing, ...comparing]);

/** Two queries, one after the other: a client mask must serve one of them only. */
const twoQueries: TestedCase = (() => {
  const shapes = spec(
    (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2, 1], 0, -8, 8)],
    (n) => fixed([n, 1], 0, -(2 ** 43), 2 ** 43, 44),
  );
  const one = tested(
    protocols.knownWeightMatmul,
    [
      [
        [7, 5],
        [3, -7],
      ],
      [
        [12346, 2 ** 39],
        [3, -7],
      ],
    ],
    shapes,
    ["one client mask serves two queries", "client mask is 0"],
  );
  return {
    ...one,
    name: "known-weight.matmul, two queries",
    body: (corrupted, secret, samples) => {
      const again = secret.map((values, k) => (k === 0 ? values.map((v) => 3 * v) : values));
      const queries = [secret, again].map((inputs) => one.body(corrupted, inputs, samples));
      return function* both(party, stage) {
        for (const [k, query] of queries.entries()) {
          // Labels of their own, as the queries of a session have.
          const labelled: Party = { ...party, at: (label) => party.at(`query ${k} ${label}`) };
          yield* query(labelled, stage);
        }
      };
    },
  };
})();

/** CrypTen's protocols: every bit of a word is opened under a mask of its own. */
const words = [...opening, ...dealing, "one mask serves every opening"] as const;
const fraction = (n: number): Fixed => fixed([n], 16, -(2 ** 20), 2 ** 20);
const crypten: readonly TestedCase[] = [
  tested(
    protocols.beaverMul,
    [
      [[-(2 ** 35) - 1], [20]],
      [[12345678], [2 ** 34 + 5]],
    ],
    spec(
      (n) => [fraction(n), fraction(n)],
      (n) => fixed([n], 16, -(2 ** 40), 2 ** 40, 64),
    ),
    words,
  ),
  tested(
    protocols.beaverWeightMul,
    [
      [[-(2 ** 35) - 1], [20]],
      [[12345678], [20]],
    ],
    spec(
      (n) => [fraction(n), fraction(n)],
      (n) => fixed([n], 32, -(2 ** 40), 2 ** 40, 64),
    ),
    words,
  ),
  ...[protocols.beaverMatmul, protocols.beaverWeightMatmul].map((protocol) =>
    tested(
      protocol,
      [
        [
          [-(2 ** 35) - 1, 3],
          [20, 5],
        ],
        [
          [12346, 2 ** 30],
          [20, 5],
        ],
      ],
      spec(
        (n) => [fixed([n, 1, 2], 16, -(2 ** 20), 2 ** 20), fixed([n, 2, 1], 16, -(2 ** 20), 2 ** 20)],
        (n) => fixed([n, 1, 1], 32, -(2 ** 40), 2 ** 40, 64),
      ),
      words,
    ),
  ),
  tested(
    protocols.beaverSquare,
    [[[-(2 ** 35) - 1]], [[12345678]]],
    spec(
      (n) => [fraction(n)],
      (n) => fixed([n], 16, 0, 2 ** 40, 64),
    ),
    [...opening, ...dealing],
  ),
  tested(
    protocols.beaverWhere,
    [
      [[1], [20], [-7]],
      [[0], [12345678], [2 ** 34 + 5]],
    ],
    spec(
      (n) => [fixed([n], 0, 0, 1), fraction(n), fraction(n)],
      (n) => fixed([n], 16, -(2 ** 20), 2 ** 20, 64),
    ),
    [...words, "a selecting bit is opened unmasked"],
  ),
  tested(
    protocols.a2bRelu,
    [[[-(2 ** 35) - 1]], [[12345678]]],
    spec(
      (n) => [fraction(n)],
      (n) => fixed([n], 16, 0, 2 ** 20, 64),
    ),
    ["mask is 0", "a selecting bit is opened unmasked"],
  ),
  tested(
    protocols.a2bCast,
    [[[0]], [[1]]],
    spec(
      (n) => [fixed([n], 0, 0, 1)],
      (n) => fixed([n], 16, 0, 1, 64),
      { to: "f32" },
    ),
    ["mask is 0", "a selecting bit is opened unmasked", ...dealing],
  ),
  ...[protocols.a2bCompare, protocols.a2bComparePublic].map((protocol) =>
    tested(
      protocol,
      [
        [[-(2 ** 35) - 1], [20]],
        [[12345678], [20]],
      ],
      spec(
        (n) => [fraction(n), fraction(n)],
        (n) => fixed([n], 0, 0, 1, 1),
        { kind: "less" },
      ),
      ["mask is 0", ...dealing],
    ),
  ),
  tested(
    protocols.openedSine,
    [[[-81001]], [[7000]]],
    spec(
      (n) => [fixed([n], 16, -16, 16)],
      (n) => fixed([n], 16, -2, 2, 64),
      { period: 8, sines: [0.5, -0.25] },
    ),
    [...opening, ...dealing],
  ),
];

/** Three computing parties: each of them receives, and may be corrupted. */
const unshared: readonly BreakName[] = ["the zero sharing is 0"];
const [low, high]: readonly Secret[] = [[[-60001]], [[12346]]];
const [lows, highs]: readonly Secret[] = [
  [[-60001], [20]],
  [[12346], [30001]],
];
const inRing = (count: number, from: number, to: number, attrs: Spec["attrs"] = {}): Shapes =>
  spec(
    (n) => Array.from({ length: count }, () => fixed([n], from, -16, 16)),
    (n) => fixed([n], to, -256, 256, 64),
    attrs,
  );
const matrices: Shapes = spec(
  (n) => [fixed([n, 1, 2], 12, -300, 300), fixed([2, 1], 12, -100, 100)],
  (n) => fixed([n, 1, 1], 24, -60000, 60000, 64),
);
const replicatedCases: readonly TestedCase[] = [
  {
    ...tested(
      protocols.privateLookup,
      [
        [[100, -2000, 30000, 4, 5], [1]],
        [[100, -2000, 30000, 4, 5], [4]],
      ],
      spec(
        (n) => [fixed([5, 1], 12, -16, 16), fixed([n], 0, 0, 4)],
        (n) => fixed([n, 1], 12, -16, 16, 40),
        { axis: 0 },
      ),
      unshared,
    ),
    samples: 4000,
  },
  tested(protocols.replicatedShare, [low!, high!], inRing(1, 12, 12), unshared),
  tested(protocols.replicatedMul, [lows!, highs!], inRing(2, 12, 24), unshared),
  tested(protocols.replicatedMul, [lows!, highs!], inRing(2, 12, 12), [...unshared, "mask is 0"]),
  tested(protocols.replicatedSquare, [low!, high!], inRing(1, 12, 24), unshared),
  tested(
    protocols.replicatedMatmul,
    [
      [
        [-(2 ** 41) - 1, 3],
        [20, 5],
      ],
      [
        [12346, 2 ** 40],
        [20, 5],
      ],
    ],
    matrices,
    unshared,
  ),
  tested(
    protocols.replicatedWeightMatmul,
    [
      [
        [-(2 ** 41) - 1, 3],
        [20, 5],
      ],
      [
        [12346, 2 ** 40],
        [20, 5],
      ],
    ],
    matrices,
    unshared,
  ),
  tested(protocols.replicatedTruncate, [low!, high!], elementwise(12, 10, 31, 20, { by: 2 }), [
    ...unshared,
    ...opening,
    ...dealing,
  ]),
  tested(protocols.replicatedTruncateUnchecked, [low!, high!], inRing(1, 12, 4, { by: 8 }), unshared),
  ...["less", "equal"].map((kind) => ({
    ...tested(
      protocols.replicatedCompare,
      [lows!, highs!],
      spec(
        (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
        (n) => fixed([n], 0, 0, 1, 1),
        { kind },
      ),
      unshared,
    ),
    name: `replicated.compare, ${kind}`,
    samples: 1000,
  })),
  tested(
    protocols.replicatedLogic,
    [
      [[0], [1]],
      [[1], [1]],
    ],
    spec(
      (n) => [fixed([n], 0, 0, 1), fixed([n], 0, 0, 1)],
      (n) => fixed([n], 0, 0, 1, 1),
      { kind: "and" },
    ),
    unshared,
  ),
  tested(
    protocols.replicatedCast,
    [[[0]], [[1]]],
    spec(
      (n) => [fixed([n], 0, 0, 1)],
      (n) => fixed([n], 12, 0, 1, 64),
      { to: "f32" },
    ),
    unshared,
  ),
  { ...tested(protocols.replicatedRelu, [low!, high!], elementwise(12, 12, 31, 20), unshared), samples: 4000 },
  { ...tested(protocols.replicatedMaximum, [lows!, highs!], inRing(2, 12, 12), unshared), samples: 1000 },
];

/** Indices of `bits` bits into one table of 2^bits entries. */
const lookups = (bits: number): Shapes =>
  spec(
    (n) => [fixed([n], 0, -(2 ** (bits - 1)), 2 ** (bits - 1)), fixed([2 ** bits], 0, 0, 2 ** 20)],
    (n) => fixed([n], 0, 0, 2 ** 20, 22),
    { bits, fraction: 0 },
  );
const bigTable = Array.from({ length: 128 }, (_, k) => (k * 7919) % 2 ** 20);
const table = bigTable.slice(0, 16);

export const leakCases: readonly TestedCase[] = [
  twoQueries,
  tested(protocols.maskedOpen, [[[-(2 ** 40) - 1]], [[12345678]]], elementwise(0, 0, 2 ** 41, 44), [
    ...opening,
    "mask is drawn from 2^26",
  ]),
  tested(protocols.maskedExtend, [[[-60001]], [[12346]]], elementwise(12, 12, 16, 44), [...opening, ...dealing]),
  tested(
    protocols.maskedMul,
    [
      [[-60001], [20]],
      [[12346], [30001]],
    ],
    spec(
      (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
      (n) => fixed([n], 12, -256, 256, 40),
    ),
    [...opening, ...dealing, "one mask serves every opening"],
  ),
  tested(
    protocols.maskedMatmul,
    [
      [
        [-(2 ** 41) - 1, 3],
        [20, 5],
      ],
      [
        [12346, 2 ** 40],
        [-(2 ** 41), 77],
      ],
    ],
    spec(
      (n) => [fixed([n, 1, 2], 12, -300, 300), fixed([n, 2, 1], 12, -100, 100)],
      (n) => fixed([n, 1, 1], 24, -60000, 60000, 44),
    ),
    [...opening, ...dealing, "one mask serves every opening", "mask is drawn from 2^26"],
  ),
  tested(
    protocols.knownWeightMatmul,
    [
      [
        [-(2 ** 40) - 1, 5],
        [3, -7],
      ],
      [
        [12346, 2 ** 39],
        [3, -7],
      ],
    ],
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2, 1], 0, -8, 8)],
      (n) => fixed([n, 1], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    ["client mask is 0"],
  ),
  tested(
    protocols.fixedWeightMatmul,
    [
      [
        [-(2 ** 40) - 1, 5],
        [3, -7],
      ],
      [
        [12346, 2 ** 39],
        [3, -7],
      ],
    ],
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2, 1], 0, -8, 8)],
      (n) => fixed([n, 1], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    [...opening, ...dealing],
  ),
  tested(
    protocols.knownWeightMul,
    [
      [
        [-(2 ** 40) - 1, 5],
        [3, -7],
      ],
      [
        [12346, 2 ** 39],
        [3, -7],
      ],
    ],
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2], 0, -8, 8)],
      (n) => fixed([n, 2], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    ["client mask is 0"],
  ),
  tested(
    protocols.knownWeightConv,
    [
      [
        [-(2 ** 40) - 1, 5],
        [3, -7],
      ],
      [
        [12346, 2 ** 39],
        [3, -7],
      ],
    ],
    spec(
      (n) => [fixed([n, 1, 2], 0, -(2 ** 41), 2 ** 41), fixed([1, 1, 2], 0, -8, 8)],
      (n) => fixed([n, 1, 3], 0, -(2 ** 43), 2 ** 43, 44),
      { strides: [1], pads: [1, 1], dilations: [1], group: 1 },
    ),
    ["client mask is 0"],
  ),
  // Each sample is a channel of its own: both operands are as many secrets.
  tested(
    protocols.maskedConv,
    [
      [
        [-(2 ** 41) - 1, 3],
        [20, 5],
      ],
      [
        [12346, 2 ** 40],
        [-(2 ** 41), 77],
      ],
    ],
    (n) => ({
      operands: [fixed([1, n, 2], 12, -300, 300), fixed([n, 1, 2], 12, -100, 100)],
      result: fixed([1, n, 1], 24, -60000, 60000, 44),
      attrs: { strides: [1], pads: [0, 0], dilations: [1], group: n },
    }),
    [...opening, ...dealing, "one mask serves every opening", "mask is drawn from 2^26"],
  ),
  tested(
    protocols.tournamentMaxPool,
    [[[-30001, 9000]], [[12346, -700]]],
    spec(
      (n) => [fixed([n, 1, 2], 12, -8, 8)],
      (n) => fixed([n, 1, 1], 12, -8, 8, 40),
      { kernel: [2], strides: [1], pads: [0, 0], dilations: [1] },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  tested(protocols.maskedRelu, [[[-60001]], [[12346]]], elementwise(12, 12, 16, 40), [
    ...opening,
    ...dealing,
    ...comparing,
  ]),
  {
    ...tested(
      protocols.maskedRelu,
      [[[-60001]], [[12346]]],
      (n) => ({ ...elementwise(12, 12, 16, 40)(n), attrs: { comparison: "tree" } }),
      [...opening, ...dealing, "a selecting bit is opened unmasked"],
    ),
    name: "masked.relu, carry tree",
  },
  {
    ...tested(
      protocols.maskedRelu,
      [[[-60001]], [[12346]]],
      (n) => ({ ...elementwise(12, 12, 16, 40)(n), attrs: { comparison: "dpf" } }),
      [...opening, "a selecting bit is opened unmasked", "client mask is 0"],
    ),
    name: "masked.relu, distributed point function",
    samples: 6000,
  },
  tested(
    protocols.otttLookup,
    [
      [[-7], table],
      [[6], table],
    ],
    lookups(4),
    ["mask is 0", "mask has lost its low bit", ...dealing],
  ),
  {
    ...tested(
      protocols.dpfLookup,
      [
        [[-60], bigTable],
        [[49], bigTable],
      ],
      lookups(7),
      [...opening, ...dealing, "client mask is 0"],
    ),
    samples: 6000,
  },
  tested(
    protocols.faithfulTruncate,
    [[[-60001]], [[12346]]],
    (n) => ({ ...elementwise(12, 4, 16, 40)(n), attrs: { by: 8 } }),
    [...opening, ...dealing, ...comparing],
  ),
  activation(protocols.fourierErf),
  activation(protocols.fourierGelu),
  activation(protocols.fourierSigmoid),
  activation(protocols.fourierSilu),
  activation(protocols.fourierTanh),
  ...[protocols.octavesReciprocal, protocols.octavesRsqrt].map((protocol) =>
    tested(
      protocol,
      [[[1025]], [[14000]]],
      spec(
        (n) => [fixed([n], 12, 0.2, 4)],
        (n) => fixed([n], 12, 0, 5, 40),
      ),
      [...opening, ...dealing, ...comparing],
    ),
  ),
  tested(
    protocols.separableExp,
    [[[-81001]], [[-1200]]],
    spec(
      (n) => [fixed([n], 12, -20, 0)],
      (n) => fixed([n], 12, 0, 1, 30),
    ),
    [...opening, ...dealing, ...comparing],
  ),
  ...[protocols.oneOpeningRmsNorm, protocols.oneOpeningLayerNorm].map((protocol) =>
    tested(
      protocol,
      [[[-15001, 700]], [[2346, 11000]]],
      spec(
        (n) => [fixed([n, 2], 12, -4, 4)],
        (n) => fixed([n, 2], 12, -2, 2, 40),
        { epsilon: 1e-5, sum_lo: 2, sum_hi: 32 },
      ),
      [...opening, ...dealing, ...comparing, "one mask serves every opening"],
    ),
  ),
  tested(
    protocols.coarseMaxSoftmax,
    [[[-30001, 9000]], [[12346, -700]]],
    spec(
      (n) => [fixed([n, 2], 12, -8, 8)],
      (n) => fixed([n, 2], 12, 0, 1, 30),
      { axis: -1 },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  tested(
    protocols.coarseMaxAttention,
    [
      [
        [-501, 300],
        [20, 500],
        [1001, -3000],
      ],
      [
        [246, -35],
        [-500, 3],
        [-2010, 77],
      ],
    ],
    spec(
      (n) => [fixed([n, 1, 2, 1], 8, -2, 2), fixed([n, 1, 2, 1], 8, -2, 2), fixed([n, 1, 2, 1], 10, -3, 3)],
      (n) => fixed([n, 1, 2, 1], 10, -3, 3, 34),
      { scale: 1, causal: true, score_bound: 6 },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  ...crypten.map((each) => ({ ...each, ...(each.name.startsWith("a2b.") && { samples: 2000 }) })),
  ...replicatedCases,
  ...orderingCases.map(({ protocol, secrets, shapes, breaks }) => ({
    ...tested(protocol, secrets, shapes, breaks),
    samples: 4000,
  })),
  ...[protocols.sigmaTruncate, protocols.sigmaTruncateWithSlack].map((protocol) =>
    tested(
      protocol,
      [[[-(2 ** 33) - 1]], [[12346]]],
      spec(
        (n) => [fixed([n], 24, -1000, 1000)],
        (n) => fixed([n], 12, -1000, 1000, 37),
        { by: 12 },
      ),
      [...opening, "a selecting bit is opened unmasked"],
    ),
  ),
  ...[protocols.sigmaMatmul, protocols.sigmaSharedMatmul].map((protocol) =>
    tested(
      protocol,
      [
        [
          [-(2 ** 41) - 1, 3],
          [20, 5],
        ],
        [
          [12346, 2 ** 40],
          [20, 5],
        ],
      ],
      spec(
        (n) => [fixed([n, 1, 2], 12, -300, 300), fixed([n, 2, 1], 12, -100, 100)],
        (n) => fixed([n, 1, 1], 24, -60000, 60000, 44),
      ),
      [...opening, ...dealing, "mask is drawn from 2^26"],
    ),
  ),
  ...[protocols.sigmaMul, protocols.sigmaSharedMul].map((protocol) =>
    tested(
      protocol,
      [
        [[-60001], [20]],
        [[12346], [20]],
      ],
      spec(
        (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
        (n) => fixed([n], 12, -256, 256, 40),
      ),
      [...inWideRing, ...dealing],
    ),
  ),
  ...[protocols.sigmaGelu, protocols.sigmaSilu].map((protocol) =>
    tested(protocol, [[[-80001]], [[7000]]], elementwise(12, 12, 32, 40), [
      ...inWideRing,
      "a selecting bit is opened unmasked",
    ]),
  ),
  ...[protocols.sigmaRmsNorm, protocols.sigmaLayerNorm].map((protocol) =>
    tested(
      protocol,
      [[[-15001, 700]], [[2346, 11000]]],
      spec(
        (n) => [fixed([n, 2], 12, -4, 4)],
        (n) => fixed([n, 2], 12, -2, 2, 44),
        { epsilon: 1e-5, sum_lo: 2, sum_hi: 32 },
      ),
      [...inWideRing, ...dealing, "a selecting bit is opened unmasked"],
    ),
  ),
  tested(
    protocols.sigmaAttention,
    [
      [
        [-501, 300],
        [20, 500],
        [1001, -3000],
      ],
      [
        [246, -35],
        [-500, 3],
        [-2010, 77],
      ],
    ],
    spec(
      (n) => [fixed([n, 1, 2, 1], 12, -2, 2), fixed([n, 1, 2, 1], 12, -2, 2), fixed([n, 1, 2, 1], 12, -3, 3)],
      (n) => fixed([n, 1, 2, 1], 12, -3, 3, 40),
      { scale: 1, causal: true },
    ),
    [...inWideRing, "a selecting bit is opened unmasked"],
  ),
];
