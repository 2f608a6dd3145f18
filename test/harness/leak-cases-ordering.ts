import * as protocols from "../../runtime/protocols/index.ts";
import type { Fixed, Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import type { LeakCase } from "./compare-views.ts";
import { fixed } from "./execute-protocol.ts";
import type { BreakName } from "./leak-breaks.ts";

/** Rows of leak-cases.ts for the protocols that compare and select. */
interface OrderingCase {
  readonly protocol: Protocol;
  readonly secrets: LeakCase["secrets"];
  readonly shapes: (samples: number) => Spec;
  readonly breaks: readonly BreakName[];
}

const opening: readonly BreakName[] = [
  "mask is 0",
  "mask has lost its low bit",
  "mask is drawn from a quarter of the ring",
  "seven of eight mask bits are zero",
  "what the dealer sends is not masked",
];
const choosing: BreakName = "a selecting bit is opened unmasked";
const bits: readonly BreakName[] = ["mask is 0", choosing, "what the dealer sends is not masked"];

const x = (n: number): Fixed => fixed([n], 12, -16, 16);
const truth = (n: number, width = 1): Fixed => fixed([n], 0, 0, 1, width);
const single =
  (result: (n: number) => Fixed, attrs: Spec["attrs"] = {}): OrderingCase["shapes"] =>
  (n) => ({ operands: [x(n)], result: result(n), attrs });
const double =
  (result: (n: number) => Fixed, attrs: Spec["attrs"] = {}): OrderingCase["shapes"] =>
  (n) => ({ operands: [x(n), x(n)], result: result(n), attrs });
const choice: OrderingCase["shapes"] = (n) => ({
  operands: [truth(n), x(n), x(n)],
  result: fixed([n], 12, -16, 16, 40),
  attrs: {},
});
const rows =
  (result: (n: number) => Fixed, attrs: Spec["attrs"]): OrderingCase["shapes"] =>
  (n) => ({ operands: [fixed([n, 3], 12, -16, 16)], result: result(n), attrs });
const wide = (n: number): Fixed => fixed([n], 12, -16, 16, 40);

const one: LeakCase["secrets"] = [[[-60001]], [[12346]]];
const two: LeakCase["secrets"] = [
  [[-60001], [20]],
  [[12346], [-3000]],
];
/** Two secrets, each with the same public operand. */
const beside: LeakCase["secrets"] = [
  [[-60001], [20]],
  [[12346], [20]],
];
const three: LeakCase["secrets"] = [[[-60001, 20, 4000]], [[12346, -3001, 12345]]];

export const orderingCases: readonly OrderingCase[] = [
  ...["less", "equal"].flatMap((kind) => [
    {
      protocol: protocols.maskedCompare,
      secrets: two,
      shapes: double(truth, { kind }),
      breaks: [...opening, choosing],
    },
    {
      protocol: protocols.thresholdCompare,
      secrets: beside,
      shapes: double(truth, { kind }),
      breaks: [...opening, choosing],
    },
  ]),
  {
    protocol: protocols.bitExtend,
    secrets: [[[0]], [[1]]],
    shapes: (n) => ({ operands: [truth(n)], result: truth(n, 20), attrs: {} }),
    breaks: bits,
  },
  {
    protocol: protocols.maskedLogic,
    secrets: [
      [[0], [0]],
      [[1], [1]],
    ],
    shapes: (n) => ({ operands: [truth(n), truth(n)], result: truth(n), attrs: { kind: "and" } }),
    breaks: bits,
  },
  {
    protocol: protocols.maskedWhere,
    secrets: [
      [[0], [-60001], [20]],
      [[1], [12346], [-3001]],
    ],
    shapes: choice,
    breaks: [...opening, choosing],
  },
  {
    protocol: protocols.maskedWherePublic,
    secrets: [
      [[0], [-60001], [20]],
      [[1], [12346], [20]],
    ],
    shapes: choice,
    breaks: [...opening, choosing],
  },
  {
    protocol: protocols.maskedWhereElse,
    secrets: [
      [[0], [20], [-60001]],
      [[1], [20], [12346]],
    ],
    shapes: choice,
    breaks: [...opening, choosing],
  },
  {
    protocol: protocols.bitWhere,
    secrets: [
      [[0], [7], [20]],
      [[1], [7], [20]],
    ],
    shapes: choice,
    breaks: bits,
  },
  ...[protocols.maskedMaximum, protocols.maskedMinimum].map((protocol) => ({
    protocol,
    secrets: two,
    shapes: double(wide),
    breaks: [...opening, choosing],
  })),
  ...[protocols.thresholdMaximum, protocols.thresholdMinimum].map((protocol) => ({
    protocol,
    secrets: beside,
    shapes: double(wide),
    breaks: [...opening, choosing],
  })),
  {
    protocol: protocols.thresholdClip,
    secrets: one,
    shapes: single(wide, { lo: -1, hi: 2 }),
    breaks: [...opening, choosing],
  },
  {
    protocol: protocols.thresholdOutside,
    secrets: one,
    // Without headroom: in a wider ring these secrets are too alike to show a mask from a quarter of it.
    shapes: single(truth, { lo: -1, hi: 2, headroom: 0 }),
    breaks: opening,
  },
  { protocol: protocols.maskedAbs, secrets: one, shapes: single(wide), breaks: [...opening, choosing] },
  {
    protocol: protocols.thresholdSign,
    secrets: one,
    shapes: single((n) => fixed([n], 0, -1, 1, 12)),
    breaks: [...opening, choosing],
  },
  ...[protocols.tournamentReduceMax, protocols.tournamentReduceMin].map((protocol) => ({
    protocol,
    secrets: three,
    shapes: rows((n) => fixed([n, 1], 12, -16, 16, 40), { axes: [1], keepdims: true, radix: 2 }),
    breaks: [...opening, choosing, "one mask serves every opening" as const],
  })),
  {
    protocol: protocols.tournamentArgmax,
    secrets: three,
    shapes: rows((n) => fixed([n, 1], 0, 0, 2, 12), { axis: 1, keepdims: true, radix: 2 }),
    breaks: [...opening, choosing, "one mask serves every opening"],
  },
  {
    protocol: protocols.pairwiseRank,
    secrets: three,
    shapes: rows((n) => fixed([n, 3], 0, 0, 2, 12), { axis: 1, largest: true }),
    breaks: [...opening, choosing],
  },
  {
    protocol: protocols.tableSelectByRank,
    secrets: [
      [
        [0, 1, 2],
        [-60001, 20, 4000],
      ],
      [
        [2, 0, 1],
        [12346, -3001, 12345],
      ],
    ],
    shapes: (n) => ({
      operands: [fixed([n, 3], 0, 0, 2), fixed([n, 3], 12, -16, 16)],
      result: fixed([n, 2], 12, -16, 16, 40),
      attrs: { axis: 1, count: 2 },
    }),
    breaks: opening,
  },
];
