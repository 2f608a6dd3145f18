import { expect, it } from "vitest";
import { knownWeightMatmul } from "../../../../runtime/protocols/arithmetic/known-weight.ts";
import { knownWeightLowRank } from "../../../../runtime/protocols/arithmetic/low-rank.ts";
import type { Shape } from "../../../../runtime/ring/tensor.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";

interface Pair {
  readonly rank: number;
  readonly columns: number;
}

function specOf(x: Shape, pairs: readonly Pair[], width: number) {
  const total = (what: keyof Pair): number => pairs.reduce((sum, pair) => sum + pair[what], 0);
  return {
    operands: [
      fixed(x, 10, -8, 8),
      fixed([x.at(-1)!, total("rank")], 0, -50, 50),
      ...pairs.map(({ rank, columns }) => fixed([rank, columns], 0, -50, 50)),
    ],
    result: fixed(x.with(-1, total("columns")), 10, -(2 ** 20), 2 ** 20, width),
    attrs: {},
  };
}

function matmul(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[i * inner + k]! * b[k * columns + j]!;
    return sum;
  });
}

it("multiplies by one pair of matrices or several exactly, shapes and rings", () => {
  let trial = 0;
  for (const [x, pairs] of [
    [[1, 1], [{ rank: 1, columns: 1 }]],
    [[3, 5], [{ rank: 2, columns: 4 }]],
    [
      [2, 1, 16],
      [
        { rank: 3, columns: 8 },
        { rank: 1, columns: 2 },
        { rank: 4, columns: 5 },
      ],
    ],
  ] as const) {
    for (const width of [33, 40, 44, 64]) {
      const spec = specOf(x, pairs, width);
      const integer = (shape: Shape): Float64Array =>
        quantizeToGrid(
          reals(
            shape.reduce((n, extent) => n * extent, 1),
            -50,
            50,
            ++trial,
          ),
          0,
        );
      const inputs = [
        quantizeToGrid(
          reals(
            x.reduce<number>((n, e) => n * e, 1),
            -8,
            8,
            ++trial,
          ),
          10,
        ),
      ];
      for (const { shape } of spec.operands.slice(1)) inputs.push(integer(shape));
      const outcome = execute(knownWeightLowRank, spec, inputs, { trial });
      expect(outcome.metered).toEqual(outcome.counted);

      const [rows, inner] = [inputs[0]!.length / x.at(-1)!, x.at(-1)!];
      const ranks = spec.operands[1]!.shape[1]!;
      const low = matmul(inputs[0]!, inputs[1]!, rows, inner, ranks);
      const width2 = spec.result.shape.at(-1)!;
      let [fromRank, fromColumn] = [0, 0];
      pairs.forEach(({ rank, columns }, k) => {
        const part = Float64Array.from(
          { length: rows * rank },
          (_, at) => low[Math.floor(at / rank) * ranks + fromRank + (at % rank)]!,
        );
        const wanted = matmul(part, inputs[2 + k]!, rows, rank, columns);
        wanted.forEach((value, at) => {
          expect(outcome.values[Math.floor(at / columns) * width2 + fromColumn + (at % columns)]).toBe(value + 0);
        });
        fromRank += rank;
        fromColumn += columns;
      });
    }
  }
});

it("takes one round, and the bytes of its two products", () => {
  const pairs = [
    { rank: 4, columns: 16 },
    { rank: 4, columns: 8 },
  ];
  const whole = costOf(knownWeightLowRank, specOf([3, 32], pairs, 40));
  const first = costOf(knownWeightMatmul, {
    operands: [fixed([3, 32], 10, -8, 8), fixed([32, 8], 0, -50, 50)],
    result: fixed([3, 8], 10, -1e5, 1e5, 40),
    attrs: {},
  });
  expect(first.rounds).toBe(1);
  expect(whole).toEqual({
    rounds: 1,
    clientToServer: first.clientToServer + (40 * 3 * 8) / 8,
    serverToClient: 0,
    dealerToServer: first.dealerToServer + (40 * 3 * 24) / 8,
  });
});
