import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { writeFiles } from "../nets/written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-constants-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("the rounding of a public number that a build holds rounded is part of its declared error", async () => {
  const { at, model, calibrate } = writeFiles(dir, "constants", {
    inputs: { x: { shape: [1, 4] } },
    weights: {
      w: { shape: [4, 16] },
      t: { shape: [16] },
      high: { shape: [], values: [1.3 + 2 ** -17] },
      low: { shape: [], values: [1.3 + 2 ** -17 - 2] },
      // Whole numbers are exact, so nothing else is rounded, and sixteen errors of one number add up.
      sum: { shape: [16, 2], values: new Array(32).fill(3) },
    },
    nodes: [
      ["MatMul", ["x", "w"], "h"],
      ["Greater", ["h", "t"], "c"],
      ["Where", ["c", "high", "low"], "v"],
      ["MatMul", ["v", "sum"], "y"],
    ],
  });
  const { verified } = await compile({
    ...{ model, calibrate, base: model, private: ["*"], public: ["high", "low"], reveal: { y: "client" } },
    output: join(at, "build"),
  });
  const { secureError, declared } = verified![0]!;
  expect(secureError).toBeGreaterThan(2 ** -13);
  expect(declared).toBeGreaterThan(secureError);
});
