import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ModelOptions } from "../../../compiler/api/model-options.ts";
import { loadManifest } from "../../../compiler/build/index.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { countOps } from "../onnx/import/recorded.ts";

const folder = join(import.meta.dirname, "../../../fixtures/cases");

export const caseFile = (name: string, ...path: readonly string[]): string => join(folder, name, ...path);

/** The test inputs of a case, as the command line takes them. */
export const testInputs = (name: string): readonly string[] =>
  readdirSync(caseFile(name, "test")).map((file) => `${file.replace(/\.\w+$/, "")}=${caseFile(name, "test", file)}`);

export interface ModelCase {
  /** Outputs that the client reads, all of them numbers of a tensor in ONNX Runtime. */
  readonly outputs: readonly string[];
  readonly options?: Partial<ModelOptions>;
  /** Operators of the secure part, with their counts; 0: there is none. */
  readonly ops?: Readonly<Record<string, number>>;
  /** Largest error beside ONNX Runtime, relative to the largest value of the output. Default: 1/64. */
  readonly error?: number;
  /** ONNX Runtime answers in another form: what it would say. */
  readonly expected?: (name: string) => Promise<ReadonlyMap<string, Tensor>>;
}

const byRuntime = async (name: string, { fixed = {} }: Partial<ModelOptions>) => {
  const session = await openOnnxSession(caseFile(name, "model.onnx"));
  const constants = Object.entries(fixed).map(([input, value]) => {
    return [input, { dtype: "int64" as const, tensor: tensor([], [value]) }] as const;
  });
  const outputs = await session.run(new Map([...readInputFiles(testInputs(name)), ...constants]));
  await session.release();
  return new Map([...outputs].map(([output, { tensor }]) => [output, tensor]));
};

/**
 * Compiles each model of fixtures/cases with every weight private, and asks three parties: what comes out is what ONNX
 * Runtime says, within the error that the build declares, for the traffic that was counted.
 */
export function checkModelCases(dir: string, cases: Readonly<Record<string, ModelCase>>): void {
  it.each(Object.entries(cases))("%s", async (name, { outputs, options = {}, ops = {}, error = 1 / 64, expected }) => {
    const model = caseFile(name, "model.onnx");
    const out = join(dir, name);
    const { module } = build(out, {
      model,
      base: model,
      private: ["*"],
      reveal: Object.fromEntries(outputs.map((output) => [output, "client"])),
      calibrate: caseFile(name, "calib"),
      ...options,
    });
    for (const [op, count] of Object.entries(ops)) expect(countOps({ module })[op] ?? 0, op).toBe(count);

    const whole = loadManifest(out).reveals.flatMap(({ tensor, type }) => (type === undefined ? [] : [tensor]));
    expect(whole).toEqual(outputs.filter((output) => output === "label"));

    const files = testInputs(name);
    const exact = await (expected ? expected(name) : byRuntime(name, options));
    const found = await queryOnce(out, files);

    const declared = await declaredError(out, ...files);
    for (const output of outputs) {
      const [secure, real] = [found.outputs.get(output)!, exact.get(output)!];
      expect(secure.shape).toEqual(real.shape);
      const most = Math.max(...real.data.map(Math.abs));
      expect(largestDifference(secure.data, real.data)).toBeLessThanOrEqual(Math.min(declared, error * most));
    }
    expect(found.report.measured).toEqual(found.report.predicted);
  });
}
