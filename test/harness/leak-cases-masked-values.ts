import type { Party } from "../../runtime/core/party.ts";
import * as protocols from "../../runtime/protocols/index.ts";
import { fixed } from "./execute-protocol.ts";
import {
  bothDiffer,
  comparing,
  dealing,
  double,
  elementwise,
  matrices,
  opening,
  rowTimesColumn,
  single,
  spec,
  type TestedCase,
  tested,
} from "./leak-table.ts";

/** Two queries, one after the other: a client mask must serve only one of them. */
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
          // Separate labels, as the queries of a session have.
          const labelled: Party = { ...party, at: (label) => party.at(`query ${k} ${label}`) };
          yield* query(labelled, stage);
        }
      };
    },
  };
})();

export const maskedValueCases: readonly TestedCase[] = [
  twoQueries,
  tested(protocols.maskedOpen, [[[-(2 ** 40) - 1]], [[12345678]]], elementwise(0, 0, 2 ** 41, 44), [
    ...opening,
    "mask is drawn from 2^26",
  ]),
  tested(protocols.maskedExtend, single, elementwise(12, 12, 16, 44), [...opening, ...dealing]),
  tested(
    protocols.maskedMul,
    double,
    spec(
      (n) => [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
      (n) => fixed([n], 12, -256, 256, 40),
    ),
    [...opening, ...dealing, "one mask serves every opening"],
  ),
  tested(protocols.maskedMatmul, bothDiffer, matrices, [
    ...opening,
    ...dealing,
    "one mask serves every opening",
    "mask is drawn from 2^26",
  ]),
  tested(
    protocols.knownWeightMatmul,
    rowTimesColumn,
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2, 1], 0, -8, 8)],
      (n) => fixed([n, 1], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    ["client mask is 0"],
  ),
  tested(
    protocols.knownWeightLowRank,
    [
      [...rowTimesColumn[0], [5]],
      [...rowTimesColumn[1], [5]],
    ],
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2, 1], 0, -8, 8), fixed([1, 1], 0, -8, 8)],
      (n) => fixed([n, 1], 0, -(2 ** 46), 2 ** 46, 48),
    ),
    ["client mask is 0"],
  ),
  tested(
    protocols.fixedWeightMatmul,
    // One product a row: of two, an unmasked sum of [AB] would show in three words together and in no pair.
    [
      [[2 ** 40 + 5], [5]],
      [[-(2 ** 39)], [5]],
    ],
    spec(
      (n) => [fixed([n, 1], 0, -(2 ** 41), 2 ** 41), fixed([1, 1], 0, -8, 8)],
      (n) => fixed([n, 1], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    [...opening, ...dealing],
  ),
  tested(
    protocols.knownWeightMul,
    rowTimesColumn,
    spec(
      (n) => [fixed([n, 2], 0, -(2 ** 41), 2 ** 41), fixed([2], 0, -8, 8)],
      (n) => fixed([n, 2], 0, -(2 ** 43), 2 ** 43, 44),
    ),
    ["client mask is 0"],
  ),
  tested(
    protocols.knownWeightConv,
    rowTimesColumn,
    spec(
      (n) => [fixed([n, 1, 2], 0, -(2 ** 41), 2 ** 41), fixed([1, 1, 2], 0, -8, 8)],
      (n) => fixed([n, 1, 3], 0, -(2 ** 43), 2 ** 43, 44),
      { strides: [1], pads: [1, 1], dilations: [1], group: 1 },
    ),
    ["client mask is 0"],
  ),
  // Each sample is a channel of its own, so both operands hold that many secrets.
  tested(
    protocols.maskedConv,
    bothDiffer,
    (n) => ({
      operands: [fixed([1, n, 2], 12, -300, 300), fixed([n, 1, 2], 12, -100, 100)],
      result: fixed([1, n, 1], 24, -60000, 60000, 44),
      attrs: { strides: [1], pads: [0, 0], dilations: [1], group: n },
    }),
    [...opening, ...dealing, "one mask serves every opening", "mask is drawn from 2^26"],
  ),
  tested(protocols.faithfulTruncate, single, (n) => ({ ...elementwise(12, 4, 16, 40)(n), attrs: { by: 8 } }), [
    ...opening,
    ...dealing,
    ...comparing,
  ]),
];
