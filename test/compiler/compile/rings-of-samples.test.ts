import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { writeFiles } from "../nets/written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-rings-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("values that leave their rings on samples are refused with an option that keeps them there (MRL0390)", async () => {
  // A distance to a private row, as of a neighbour: squares under a root keep all their bits.
  const large = 3e4;
  const { at, model, calibrate } = writeFiles(dir, "distance", {
    inputs: { x: { shape: [1, 4], draw: (seed) => numbers(4, seed, large) } },
    weights: {
      c: { shape: [4], values: numbers(4, 3, large) },
      axis: { shape: [1], values: [-1], dtype: "int64" },
    },
    nodes: [
      ["Sub", ["x", "c"], "d"],
      ["Mul", ["d", "d"], "q"],
      ["ReduceSum", ["q", "axis"], "r"],
      ["Sqrt", ["r"], "y"],
    ],
  });
  const files = { model, calibrate, output: join(at, "build") };
  const options = { ...files, private: ["*"], reveal: { y: "client" }, publishRanges: true } as const;
  const error: unknown = await compile(options).catch((caught: unknown) => caught);
  if (!(error instanceof DiagnosticError)) throw new Error("expected a refusal");
  const { code, help = "" } = error.diagnostics[0]!;
  expect(code).toBe("MRL0390");
  const bits = Number(/^compile with --precision activation=(\d+)$/.exec(help)?.[1]);
  const { verified } = await compile({ ...options, precision: { activation: bits } });
  expect(verified![0]!.relativeError).toBeLessThan(2 ** -9);
});
