import { expect, test } from "vitest";
import { protocolShapes, ringFits } from "../../../compiler/audit/protocol-shapes.ts";

test.each([
  ["open", 30, 12, true],
  ["open", 29, 12, false],
  ["open", 30, 11, false],
  ["reveal", 30, 12, true],
  ["reveal", 31, 12, false],
  ["reveal", 30, 13, false],
  ["hand-over", 30, 12, true],
  ["hand-over", 29, 12, false],
  ["hand-over", 30, 11, false],
  ["take-over", 40, 12, true],
  ["take-over", 30, 13, false],
  ["extend", 40, 12, true],
  ["extend", 40, 11, false],
  ["share", 40, 12, true],
  ["share", 30, 13, false],
  ["truncate", 18, 8, true],
  ["truncate", 18, 12, false],
  ["matmul", 64, 3, true],
])("%s of 30.12 gives %i.%i: %s", (operator, width, scale, fits) => {
  expect(ringFits(operator, { width: 30, scale: 12 }, { width, scale }, { by: 4 })).toBe(fits);
});

test.each([
  ["select-by-rank", [[2, 5]], { count: 3, axis: 1 }, [2, 3]],
  ["select-by-rank", [[2, 5]], { count: 5, axis: 1 }, [2, 5]],
  ["select-by-rank", [[2, 5]], { count: 6, axis: 1 }, undefined],
  ["select-by-rank", [[2, 5]], { count: 0, axis: 1 }, undefined],
  [
    "select-by-rank",
    [
      [2, 5],
      [2, 5],
    ],
    { count: 1, axis: 1 },
    [2, 1],
  ],
  [
    "select-by-rank",
    [
      [2, 5],
      [5, 2],
    ],
    { count: 1, axis: 1 },
    undefined,
  ],
  ["lookup", [[3], [16, 4]], { bits: 4 }, [3, 4]],
  ["lookup", [[3], [15, 4]], { bits: 4 }, undefined],
  [
    "low-rank",
    [
      [3, 4],
      [4, 2],
      [2, 5],
    ],
    {},
    [3, 5],
  ],
  [
    "low-rank",
    [
      [3, 4],
      [4, 2],
      [3, 5],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 2, 5, 8],
      [1, 2, 5, 6],
    ],
    {},
    [1, 4, 3, 6],
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 3, 5, 8],
      [1, 3, 5, 6],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 2, 5, 7],
      [1, 2, 5, 6],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [2, 4, 3, 8],
      [1, 2, 5, 8],
      [1, 2, 5, 6],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 2, 5, 8],
      [1, 2, 4, 6],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [4, 3, 8],
      [2, 5, 8],
      [2, 5, 6],
    ],
    {},
    undefined,
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 2, 5, 8],
      [1, 2, 5, 6],
      [3, 5],
    ],
    {},
    [1, 4, 3, 6],
  ],
  [
    "attention",
    [
      [1, 4, 3, 8],
      [1, 2, 5, 8],
      [1, 2, 5, 6],
      [3, 4],
    ],
    {},
    undefined,
  ],
] as const)("%s of %j with %j gives %j", (operator, operands, attrs, shape) => {
  expect(protocolShapes.get(operator)!(operands, attrs, [])).toEqual(shape);
});
