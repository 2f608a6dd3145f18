import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ModelOptions } from "../../../compiler/api/model-options.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { runPlain } from "../../../compiler/run/plain.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { countOps } from "../onnx/import/recorded.ts";

const folder = join(import.meta.dirname, "../../../fixtures/cases");

export interface ReportedCase {
  /** Operators of the secure part, with their counts; 0: there is none. */
  readonly ops: Readonly<Record<string, number>>;
  readonly options?: Partial<ModelOptions>;
  /** Largest error beside ONNX Runtime's answer. Default: 1/64 of the largest value. */
  readonly error?: number;
}

/**
 * Compiles each case of fixtures/cases with every weight private, and asks three parties. What comes out is what ONNX
 * Runtime says and what the interpreter says, within the error that the build declares.
 */
export function checkCases(dir: string, cases: Readonly<Record<string, ReportedCase>>): void {
  it.each(Object.entries(cases))("%s", async (name, { ops, options = {}, error }) => {
    const at = (...path: readonly string[]): string => join(folder, name, ...path);
    const files = readdirSync(at("test")).map((file) => `${file.replace(/\.\w+$/, "")}=${at("test", file)}`);
    const session = await openOnnxSession(at("model.onnx"));
    const exact = (await session.run(readInputFiles(files))).get("y")!.tensor;
    await session.release();

    const out = join(dir, name);
    const { module } = build(out, {
      model: at("model.onnx"),
      base: at("model.onnx"),
      private: ["*"],
      reveal: { y: "client" },
      calibrate: at("calib"),
      ...options,
    });
    for (const [op, count] of Object.entries(ops)) expect(countOps({ module })[op] ?? 0, op).toBe(count);

    const { outputs, report } = await queryOnce(out, files);
    const found = outputs.get("y")!;
    expect(found.shape).toEqual(exact.shape);
    const most = Math.max(...exact.data.map(Math.abs));
    const bound = await declaredError(out, ...files);
    expect(largestDifference(found.data, exact.data)).toBeLessThanOrEqual(Math.min(bound, error ?? most / 64));
    const plain = (await runPlain(out, readInputFiles(files))).outputs.get("y")!.tensor;
    expect(largestDifference(found.data, plain.data)).toBeLessThanOrEqual(bound);
    expect(report.measured).toEqual(report.predicted);
  });
}
