import * as protocols from "../../runtime/protocols/index.ts";
import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import type { LeakCase } from "./compare-views.ts";
import { fixed } from "./execute-protocol.ts";
import type { BreakName } from "./leak-breaks.ts";
import {
  dealing,
  double,
  elementwise,
  opening,
  rowDiffers,
  rowOfTwo,
  type Shapes,
  single,
  spec,
  type TestedCase,
  tested,
  withSamples,
} from "./leak-table.ts";

/** Three computing parties: each of them receives messages, and may be corrupted. */
const unshared: readonly BreakName[] = ["the zero sharing is 0"];
const inRing = (count: number, from: number, to: number, attrs: Spec["attrs"] = {}): Shapes =>
  spec(
    (n) => Array.from({ length: count }, () => fixed([n], from, -16, 16)),
    (n) => fixed([n], to, -256, 256, 64),
    attrs,
  );
const columns: Shapes = spec(
  (n) => [fixed([n, 1, 2], 12, -300, 300), fixed([2, 1], 12, -100, 100)],
  (n) => fixed([n, 1, 1], 24, -60000, 60000, 64),
);
/** An operand beside x that both secrets share: a public number or a weight. */
const besidePublic: LeakCase["secrets"] = [
  [[-60001], [20]],
  [[12346], [20]],
];
const choice: Shapes = spec(
  (n) => [fixed([n], 0, 0, 1), fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
  (n) => fixed([n], 12, -16, 16, 64),
);
/** Secrets with other conditions, between x and y and between z and w. */
const chosen = (x: number, y: number, z: number, w: number): LeakCase["secrets"] => [
  [[0], [x], [y]],
  [[1], [z], [w]],
];
export const replicatedCases: readonly TestedCase[] = [
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
  tested(protocols.replicatedShare, single, inRing(1, 12, 12), unshared),
  tested(protocols.replicatedServerShare, single, inRing(1, 12, 12), unshared),
  tested(protocols.replicatedMul, double, inRing(2, 12, 24), unshared),
  tested(protocols.replicatedMul, double, inRing(2, 12, 12), [...unshared, "mask is 0"]),
  tested(protocols.replicatedSquare, single, inRing(1, 12, 24), unshared),
  tested(protocols.replicatedMatmul, rowDiffers, columns, unshared),
  tested(protocols.replicatedWeightMatmul, rowDiffers, columns, unshared),
  tested(protocols.replicatedTruncate, single, elementwise(12, 10, 31, 20, { by: 2 }), [
    ...unshared,
    ...opening,
    ...dealing,
  ]),
  tested(protocols.replicatedTruncateUnchecked, single, inRing(1, 12, 4, { by: 8 }), unshared),
  ...["less", "equal"].map((kind) => ({
    ...tested(
      protocols.replicatedCompare,
      double,
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
  { ...tested(protocols.replicatedRelu, single, elementwise(12, 12, 31, 20), unshared), samples: 4000 },
  tested(
    protocols.replicatedWeightMul,
    besidePublic,
    spec(
      (n) => [fixed([n], 12, -16, 16), fixed([1], 12, -16, 16)],
      (n) => fixed([n], 24, -256, 256, 64),
    ),
    unshared,
  ),
  ...withSamples(1000, [
    tested(protocols.replicatedMaximum, double, inRing(2, 12, 12), unshared),
    tested(protocols.replicatedMaximumPublic, besidePublic, inRing(2, 12, 12), unshared),
    tested(
      protocols.replicatedReduceMax,
      rowOfTwo,
      spec(
        (n) => [fixed([n, 2], 12, -16, 16)],
        (n) => fixed([n, 1], 12, -16, 16, 64),
        { axes: [-1], keepdims: true },
      ),
      unshared,
    ),
    tested(
      protocols.replicatedComparePublic,
      besidePublic,
      spec(
        (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
        (n) => fixed([n], 0, 0, 1, 1),
        { kind: "less" },
      ),
      unshared,
    ),
  ]),
  ...withSamples(4000, [
    tested(protocols.replicatedWhere, chosen(-60001, 20, 12346, 30001), choice, unshared),
    tested(protocols.replicatedWherePublic, chosen(7, -60001, 7, 12346), choice, unshared),
    tested(protocols.replicatedWhereElsePublic, chosen(-60001, 7, 12346, 7), choice, unshared),
  ]),
];
