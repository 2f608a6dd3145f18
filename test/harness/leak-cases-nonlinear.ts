import * as protocols from "../../runtime/protocols/index.ts";
import type { Protocol } from "../../runtime/protocols/kit/define-protocol.ts";
import type { LeakCase } from "./compare-views.ts";
import { fixed } from "./execute-protocol.ts";
import {
  attended,
  comparing,
  dealing,
  elementwise,
  normed,
  opening,
  rowOfTwo,
  type Shapes,
  single,
  spec,
  type TestedCase,
  tested,
} from "./leak-table.ts";

const activation = (protocol: Protocol): TestedCase =>
  tested(protocol, [[[-80001]], [[7000]]], elementwise(12, 12, 32, 40), [...opening, ...dealing, ...comparing]);

/** Indices of `bits` bits into one table of 2^bits entries. */
const lookups = (bits: number): Shapes =>
  spec(
    (n) => [fixed([n], 0, -(2 ** (bits - 1)), 2 ** (bits - 1)), fixed([2 ** bits], 0, 0, 2 ** 20)],
    (n) => fixed([n], 0, 0, 2 ** 20, 22),
    { bits, fraction: 0 },
  );
const bigTable = Array.from({ length: 128 }, (_, k) => (k * 7919) % 2 ** 20);
const table = bigTable.slice(0, 16);

/** A query, key and value of one position, and the cached key and value of the position before. */
const continued: LeakCase["secrets"] = [
  [[-501], [20], [1001], [300], [-3000]],
  [[246], [-500], [-2010], [-35], [77]],
];

const rows: readonly TestedCase[] = [
  tested(
    protocols.tournamentMaxPool,
    rowOfTwo,
    spec(
      (n) => [fixed([n, 1, 2], 12, -8, 8)],
      (n) => fixed([n, 1, 1], 12, -8, 8, 40),
      { kernel: [2], strides: [1], pads: [0, 0], dilations: [1] },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  tested(protocols.maskedRelu, single, elementwise(12, 12, 16, 40), [...opening, ...dealing, ...comparing]),
  {
    ...tested(
      protocols.maskedRelu,
      single,
      (n) => ({ ...elementwise(12, 12, 16, 40)(n), attrs: { comparison: "tree" } }),
      [...opening, ...dealing, "a selecting bit is opened unmasked"],
    ),
    name: "masked.relu, carry tree",
  },
  {
    ...tested(
      protocols.maskedRelu,
      single,
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
  activation(protocols.fourierErf),
  activation(protocols.fourierGelu),
  activation(protocols.fourierSigmoid),
  activation(protocols.fourierSilu),
  activation(protocols.fourierTanh),
  ...[
    protocols.rangeReducedLog,
    protocols.rangeReducedReciprocal,
    protocols.rangeReducedRsqrt,
    protocols.rangeReducedSqrt,
  ].map((protocol) =>
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
      normed,
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
    rowOfTwo,
    spec(
      (n) => [fixed([n, 2], 12, -8, 8)],
      (n) => fixed([n, 2], 12, 0, 1, 30),
      { axis: -1 },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  {
    ...tested(
      protocols.coarseMaxSoftmax,
      [[[3, -30001, 20, 7, 11]], [[-12346, 5, 29999, 16000, -7]]],
      spec(
        (n) => [fixed([n, 5], 12, -8, 8)],
        (n) => fixed([n, 5], 12, 0, 1, 30),
        { axis: -1, radix: 8 },
      ),
      [...opening, ...comparing],
    ),
    name: "coarse-max.softmax, maximum by ranks",
    samples: 3000,
  },
  {
    ...tested(
      protocols.coarseMaxSoftmax,
      [[[3, -30001, 20]], [[-12346, 5, 29999]]],
      spec(
        (n) => [fixed([n, 3], 12, -8, 8)],
        (n) => fixed([n, 3], 12, 0, 1, 30),
        { axis: -1, maximum: "buckets", radix: 3, comparison: "dpf" },
      ),
      [...opening, ...dealing],
    ),
    name: "coarse-max.softmax, maximum by counting",
    samples: 3000,
  },
  tested(
    protocols.coarseMaxAttention,
    attended,
    spec(
      (n) => [fixed([n, 1, 2, 1], 8, -2, 2), fixed([n, 1, 2, 1], 8, -2, 2), fixed([n, 1, 2, 1], 10, -3, 3)],
      (n) => fixed([n, 1, 2, 1], 10, -3, 3, 34),
      { scale: 1, causal: true, score_bound: 6 },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  tested(
    protocols.coarseMaxAttentionKnownMask,
    [
      [...attended[0], [0, -500, 300, 0]],
      [...attended[1], [0, -500, 300, 0]],
    ],
    spec(
      (n) => [
        fixed([n, 1, 2, 1], 8, -2, 2),
        fixed([n, 1, 2, 1], 8, -2, 2),
        fixed([n, 1, 2, 1], 10, -3, 3),
        fixed([n, 1, 2, 2], 8, -2, 2),
      ],
      (n) => fixed([n, 1, 2, 1], 10, -3, 3, 34),
      { scale: 1, causal: false, score_bound: 6 },
    ),
    [...opening, ...dealing, ...comparing, "one mask serves every opening"],
  ),
  {
    ...tested(
      protocols.coarseMaxCachedAttention,
      continued,
      spec(
        (n) => [8, 8, 10, 8, 10].map((scale) => fixed([n, 1, 1, 1], scale, -3, 3)),
        (n) => fixed([n, 1, 1, 1], 10, -3, 3, 34),
        { scale: 1, causal: true, score_bound: 6 },
      ),
      [...opening, ...dealing, ...comparing, "one mask serves every opening"],
    ),
    samples: 3000,
  },
];

/**
 * Protocols made of others: comparisons, tables and products have rows of their own with more samples. Breaks are found
 * in a quarter of these.
 */
const composite: ReadonlySet<string> = new Set([
  ...["tournament.max-pool", "coarse-max.softmax", "coarse-max.attention", "coarse-max.attention-known-mask"],
  ...["range-reduced.log", "range-reduced.reciprocal", "range-reduced.rsqrt", "range-reduced.sqrt"],
  ...["one-opening.rms-norm", "one-opening.layer-norm"],
]);
const compositeSamples = 6000;

export const nonlinearCases: readonly TestedCase[] = rows.map((row) =>
  composite.has(row.name) ? { ...row, samples: compositeSamples } : row,
);
