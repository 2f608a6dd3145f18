import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
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
