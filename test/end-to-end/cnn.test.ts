import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { runPlain } from "../../compiler/run/plain.ts";
import { opsOf, typeOf } from "../../ir/module.ts";
import { isFixed, sizeOf } from "../../ir/type.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { image, writeCnn } from "./cnn-model.ts";
import { build, queryOnce } from "./compiled.ts";
import { largestDifference } from "./declared-error.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-cnn-"));
afterAll(() => rmSync(dir, { recursive: true }));

/*
 * A small convolutional network, every weight private, from the ONNX file to three parties: what comes out is what
 * onnxruntime says, within the error that scales, depth and declared errors of the protocols allow.
 */
describe("a convolutional network with private weights", () => {
  const { input, ...files } = writeCnn(dir);
  const options = { ...files, private: ["*"], reveal: { scores: "client" } } as const;
  const expected = async () => {
    const part = await openOnnxSession(files.model);
    const { tensor } = (await part.run(readInputFiles([input]))).get("scores")!;
    await part.release();
    return tensor;
  };

  it("computes what onnxruntime does, within the declared error; counted = metered", async () => {
    const out = join(dir, "build");
    const { module, plan } = build(out, options);
    const names = opsOf(module).map(({ name }) => name);
    // Normalisation is folded into the kernels: what is left to multiply by are the numbers of the means.
    expect(names.filter((name) => name === "conv")).toHaveLength(3);
    expect(names.filter((name) => name === "mul")).toHaveLength(2);
    expect(names.indexOf("max-pool")).toBeLessThan(names.indexOf("relu"));

    const { outputs, report } = await queryOnce(out, [input]);
    const found = outputs.get("scores")!;
    const exact = await expected();
    expect(found.shape).toEqual(exact.shape);
    const bound = await declaredError(out, input);
    expect(largestDifference(found.data, exact.data)).toBeLessThan(bound);
    // It is a bound that says something.
    expect(bound).toBeLessThan(Math.max(...exact.data.map(Math.abs)) / 4);
    expect(report.measured).toEqual(report.predicted);

    // Each convolution uploads its input once, ℓ bits for each element, and nothing else.
    const calls = plan.steps.flat().filter(({ callee }) => callee.name === "knownWeightConv");
    expect(calls).toHaveLength(3);
    for (const { op, spec, traffic } of calls) {
      const { element } = typeOf(module, op.result);
      const bytes = Math.ceil(((isFixed(element) ? element.width : 0) * sizeOf(spec.operands[0]!.shape)) / 8);
      expect(traffic.bytes["client→server"]).toBe(bytes);
      expect(traffic.bytes["server→client"]).toBe(0);
    }
    // Unfolded, the image would be nine times as much.
    expect(sizeOf(calls[0]!.spec.operands[0]!.shape)).toBe(sizeOf(image));
  });

  it("keeps public kernels where they are: nothing is sent for them", async () => {
    const out = join(dir, "public");
    const { plan } = build(out, { ...options, private: [] });
    const local = plan.steps.flat().filter(({ callee }) => callee.kind === "local" && callee.name === "conv");
    expect(local).toHaveLength(2);
    const { outputs } = await queryOnce(out, [input]);
    const exact = await expected();
    const bound = await declaredError(out, input);
    expect(largestDifference(outputs.get("scores")!.data, exact.data)).toBeLessThan(bound);
  });

  it("is the interpreter's result bit for bit where truncation is exact", async () => {
    const out = join(dir, "exact");
    build(out, { ...options, truncation: "exact" });
    const { outputs } = await queryOnce(out, [input]);
    const { outputs: plain } = await runPlain(out, readInputFiles([input]));
    expect([...outputs.get("scores")!.data]).toEqual([...plain.get("scores")!.tensor.data]);
  });
});
