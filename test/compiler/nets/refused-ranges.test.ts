import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { type Written, writeFiles } from "./written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-refused-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** y = f(b), where b is a = x·w, or what the nodes make of it. */
const written = (f: string, before: Written["nodes"] = [["Identity", ["a"], "b"]]): Written => ({
  inputs: { x: { shape: [2, 6] } },
  weights: { w: { shape: [6, 4] } },
  nodes: [["MatMul", ["x", "w"], "a"], ...before, [f, ["b"], "y"]],
});
const squared: Written["nodes"] = [["Mul", ["a", "a"], "b"]];
const times = (factor: number): Written["nodes"] => [
  ["Constant", [], "factor", { value_float: { float: factor } }],
  ["Mul", ["a", "factor"], "b"],
];
/** Measured above 0, but no more than that. */
const plus = (term: number): Written["nodes"] => [
  ["Constant", [], "term", { value_float: { float: term } }],
  ["Add", ["a", "term"], "b"],
];

/** The same model with a Clip before f, whose bound the message says. */
function clipped({ nodes, ...rest }: Written, end: string, bound: number): Written {
  const [f] = nodes.at(-1)!;
  const bounds = end === "min" ? ["bound"] : ["", "bound"];
  return {
    ...rest,
    nodes: [
      ...nodes.slice(0, -1),
      ["Constant", [], "bound", { value_float: { float: bound } }],
      ["Clip", ["b", ...bounds], "c"],
      [f, ["c"], "y"],
    ],
  };
}

function compile(name: string, model: Written) {
  const { at, model: file, calibrate, input } = writeFiles(dir, name, model);
  const out = join(at, "build");
  build(out, { model: file, base: file, private: ["*"], reveal: { y: "client" }, calibrate, quality: "fast" });
  return { out, input };
}

const refusals = [
  ["1/x near 0", written("Reciprocal"), "min", "0.001"],
  ["1/x² near 0", written("Reciprocal", squared), "min", "0.001"],
  ["ln x of what may be negative", written("Log", plus(4)), "min", "0.001"],
  ["√x of what may be negative", written("Sqrt", plus(4)), "min", "0"],
  ["e^x without a bound", written("Exp", times(5)), "max", "8"],
] as const;

describe("a range that a protocol does not take (MRL0521)", () => {
  it.each(
    refusals,
  )("%s: is refused, and computed after the edit that the message says", async (name, model, end, bound) => {
    let said = "";
    try {
      compile(name, model);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      const [first] = error.diagnostics;
      expect(first).toMatchObject({ code: "MRL0521", at: expect.stringContaining(`/${model.nodes.at(-1)![0]}`) });
      said = first!.help ?? "";
    }
    expect(said).toContain(`Clip(x, ${end}=${bound})`);
    const { out, input } = compile(`${name} edited`, clipped(model, end, Number(bound)));
    const { outputs } = await queryOnce(out, [input]);
    expect(outputs.get("y")!.data.every(Number.isFinite)).toBe(true);
  });
});
