import * as protocols from "../../runtime/protocols/index.ts";
import type { Fixed } from "../../runtime/protocols/kit/define-protocol.ts";
import { fixed } from "./execute-protocol.ts";
import { dealing, opening, spec, type TestedCase, tested, withSamples } from "./leak-table.ts";

/** CrypTen's protocols: each opens every bit of a word under a mask of its own. */
const words = [...opening, ...dealing, "one mask serves every opening"] as const;
const fraction = (n: number): Fixed => fixed([n], 16, -(2 ** 20), 2 ** 20);
export const cryptenCases: readonly TestedCase[] = [
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
  ...withSamples(2000, [
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
  ]),
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
