import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { type Written, writeFiles } from "../nets/written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-trees-"));
afterAll(() => rmSync(dir, { recursive: true }));

const optionsOf = (name: string, model: Written) => {
  const { at, model: file, calibrate } = writeFiles(dir, name, model);
  return { model: file, calibrate, reveal: { y: "client" }, output: join(at, "build") } as const;
};

/** Two levels of a perfect tree as Hummingbird walks it: the next node is 2·node + 1 or 2·node. */
const walk: Written = {
  inputs: { x: { shape: [1, 2] } },
  weights: {
    t0: { shape: [2], values: [0.1, -0.2] },
    t1: { shape: [2], values: [-0.5, 0.5] },
    two: { shape: [], values: [2], dtype: "int64" },
    leaves: { shape: [4, 1], values: [1.1, 2.2, 3.3, 4.4] },
    flat: { shape: [1], values: [-1], dtype: "int64" },
  },
  nodes: [
    ["Greater", ["x", "t0"], "b0"],
    ["Cast", ["b0"], "s0", { to: 7 }],
    ["Reshape", ["s0", "flat"], "n0"],
    ["Gather", ["t1", "n0"], "t"],
    ["Reshape", ["x", "flat"], "f"],
    ["Greater", ["f", "t"], "b1"],
    ["Cast", ["b1"], "s1", { to: 7 }],
    ["Mul", ["two", "n0"], "d"],
    ["Add", ["d", "s1"], "n1"],
    ["Gather", ["leaves", "n1"], "y"],
  ],
};

test("an index that is doubled stays an integer: no test of it is a decision", async () => {
  const { manifest } = await compile({ ...optionsOf("walk", walk), private: ["t0", "t1", "leaves"] });
  expect(manifest.decisions!.map(({ at }) => at)).toEqual(["/0/Greater", "/5/Greater"]);
});

const { x: _, ...none } = walk.inputs;
/** The same tree on features of another size, with its thresholds. */
const sized = (...sizes: readonly [number, number]): Written => ({
  ...walk,
  inputs: { ...none, x: { shape: [1, 2], draw: (seed) => numbers(2, seed, 1).map((part, k) => part * sizes[k]!) } },
  weights: {
    ...walk.weights,
    t0: { shape: [2], values: [0.1 * sizes[0], -0.2 * sizes[1]] },
    t1: { shape: [2], values: [-0.5 * sizes[0], 0.5 * sizes[1]] },
  },
});
const owned = { private: ["t0", "t1", "leaves"] } as const;

test.each([
  [1e-3, 1e-3],
  [21234.5, 21234.5],
  [1e-2, 1e2],
])("features of %f and %f are told apart as features near 1 are", async (...sizes) => {
  const { manifest, verified } = await compile({ ...optionsOf(`sizes-${sizes}`, sized(...sizes)), ...owned });
  for (const { distance } of manifest.decisions!) expect(distance).toBeLessThan(sizes[0] * 2 ** -7);
  expect(verified).toMatchObject([{ output: "y", secureError: expect.closeTo(0, 3) }]);
});

const refusalOf = async (options: Parameters<typeof compile>[0]): Promise<string> => {
  const error: unknown = await compile(options).catch((caught: unknown) => caught);
  if (!(error instanceof DiagnosticError)) throw new Error("expected a refusal");
  return error.diagnostics.map(({ code, help }) => `${code} ${help}`).join("\n");
};

test("comparisons as coarse as a feature are refused, with the quality that has bits enough (MRL0510)", async () => {
  const options = { ...optionsOf("coarse", sized(1e-3, 1e-3)), ...owned };
  const said = await refusalOf({ ...options, quality: "fast" });
  expect(said).toBe("MRL0510 this was tried, and compiles: --quality balanced");
  const { verified } = await compile({ ...options, quality: "balanced" });
  expect(verified).toMatchObject([{ output: "y", secureError: expect.closeTo(0, 3) }]);
});

test("a table of thresholds of very different sizes has no scale for both, and is refused (MRL0510)", async () => {
  expect(await refusalOf({ ...optionsOf("mixed", sized(1e-4, 1e5)), ...owned })).toMatch(
    /^MRL0510 bring the features of the model to one size/,
  );
});
