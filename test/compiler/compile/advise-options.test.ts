import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { writeFiles } from "../nets/written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-advise-"));
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ["Sigmoid", "MRL0521"],
  ["Softmax", "MRL0508"],
])("where bits by hand are too few for %s, more are advised, and no other edit (%s)", async (op, code) => {
  const { at, model, calibrate } = writeFiles(dir, op, {
    inputs: { x: { shape: [2, 8] } },
    weights: { w: { shape: [8, 8] } },
    nodes: [
      ["MatMul", ["x", "w"], "h"],
      [op, ["h"], "s"],
      ["Mul", ["h", "s"], "y"],
    ],
  });
  const options = {
    ...({ model, base: model, calibrate, private: ["*"], output: join(at, "build") } as const),
    reveal: { y: "client" },
  } as const;
  await expect(compile({ ...options, precision: { activation: 2 } })).rejects.toMatchObject({
    diagnostics: [
      {
        code,
        help: expect.stringMatching(/^(this was tried, and compiles: --precision activation=14$|compile with )/),
      },
    ],
  });
  await compile({ ...options, precision: { activation: 14 } });
});
