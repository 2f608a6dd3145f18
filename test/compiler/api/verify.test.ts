import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, loadCompiler } from "../../../compiler/api/compile.ts";
import { cost } from "../../../compiler/api/cost.ts";
import { inspectBuild } from "../../../compiler/api/inspect.ts";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { isSmall, verifyCompilation } from "../../../compiler/api/verify.ts";
import { writeBuild } from "../../../compiler/build/index.ts";
import { fileRuns } from "../../../compiler/compile/file-runs.ts";
import type { Compilation } from "../../../compiler/compile/index.ts";
import { referenceRuns } from "../../../compiler/compile/reference-runs.ts";
import { readSampleFiles } from "../../../compiler/inputs/index.ts";
import { loadModel } from "../../../compiler/load/index.ts";
import { readModel } from "../../../compiler/onnx/normalize/index.ts";
import { manifestText, verifiedText } from "../../../compiler/report/text/index.ts";
import { compareWithOnnx, type ImportDifference, nearnessOf } from "../../../compiler/run/index.ts";
import type { DiagnosticError } from "../../../ir/diagnostic.ts";
import { writeTiny } from "../../end-to-end/tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-verify-"));
const build = join(dir, "build");
let options: Parameters<typeof compile>[0];
let compilation: Compilation;

beforeAll(async () => {
  const { model, base, calibration: calibrate } = writeTiny(join(dir, "model"));
  options = { model, base, calibrate, reveal: { logits: "client" }, output: build };
  const { output: _, ...rest } = options;
  compilation = (await loadCompiler()).compileModel(resolveModelOptions(rest));
});
afterAll(() => rmSync(dir, { recursive: true }));

test("a small model is verified without being asked", async () => {
  const { verified, manifest } = await compile(options);
  expect(verified).toHaveLength(1);
  const [{ output, largest, secureError, plainError, declared, ...more }] = verified as [
    NonNullable<typeof verified>[0],
  ];
  expect(more.relativeError).toBe(secureError / largest);
  // The manifest has what it declares to everybody, and not what was measured with private weights.
  expect(manifest.errors).toEqual([{ tensor: "logits", declared: more.published, largest: expect.any(Number) }]);
  expect(more.published).toBeGreaterThan(secureError);
  expect(inspectBuild({ build }).manifest.errors).toEqual(manifest.errors);
  expect((await cost({ build })).errors).toEqual(manifest.errors);
  expect(manifestText(manifest)).toContain(`declared error of logits: ${more.published}, `);
  expect(output).toBe("logits");
  expect(largest).toBeGreaterThan(0.1);
  // The parties round in other places than the interpreter: neither error is zero, and both are declared.
  expect(secureError).toBeGreaterThan(0);
  expect(Math.max(secureError, plainError)).toBeLessThanOrEqual(declared!);
  expect(verifiedText(verified)).toContain("logits");
  expect(readdirSync(dir).filter((name) => name.startsWith(".build"))).toEqual([]);
});

test("float64 itself is compared with ONNX Runtime on the model's file: another meaning is refused", async () => {
  const own = await verifyCompilation(build, compilation);
  expect(own.onnxRuntime).toMatchObject({ runtime: { version: expect.any(String) }, outputs: [{ output: "logits" }] });
  const text = verifiedText(own.verified, own.onnxRuntime);
  expect(text).toMatch(/ONNX Runtime's error\nlogits .*e-/);
  expect(text).toContain("float64 compared with ONNX Runtime");
  // As if the import read other numbers than ONNX Runtime: its file is that of the base.
  const fileOf =
    (file: string): Compilation["fileRuns"] =>
    (runs) => ({ ...compilation.fileRuns(runs), file });
  const failed = verifyCompilation(build, { ...compilation, fileRuns: fileOf(options.base!) });
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0509"]);
  expect(diagnostics[0]!.message).toContain('output "logits": expected the answer of ONNX Runtime');
  const without = await verifyCompilation(build, { ...compilation, fileRuns: fileOf(options.calibrate!) });
  expect(verifiedText(without.verified, without.onnxRuntime)).toContain("not compared with ONNX Runtime: ");
  const apart = { output: "logits", difference: 0.002, allowed: 0.001, largest: 1 };
  const runtime = { name: "native", version: "1" } as const;
  expect(verifiedText(own.verified, { runtime, outputs: [apart] })).toContain(
    "warning: logits in float64 is 0.0020 from",
  );
});

test("with --head token the likeliest index is compared, and not the logits", async () => {
  const { verified } = await compile({ ...options, head: "token" });
  expect(verified).toMatchObject([{ output: "logits", secureError: 0, plainError: 0 }]);
});

test("activations that ONNX Runtime rounds to eight bits explain more than rounding to float32", async () => {
  const folder = join(import.meta.dirname, "../../../fixtures/exporters/genai-llama-int4-prompt");
  const model = join(folder, "model.onnx");
  const names = readModel(model).graph.inputs.map(({ name }) => name);
  const given = readSampleFiles(join(folder, "test_data_set_0"), names)[0]!;
  const [length, width] = [given.get("input_ids")!.shape[1]!, given.get("past_key_values.0.key")!.shape[3]!];
  const dims = { batch_size: 1, sequence_length: length, total_sequence_length: length, past_sequence_length: 0 };
  const asked = { model, reveal: { logits: "client" }, dims: { ...dims, kv_cache_dim: width } } as const;
  const loading = resolveModelOptions(asked);
  const loaded = loadModel(loading, { allowAllPublic: true });
  const sample = new Map([...loaded.imported.inputs].map(([name, id]) => [id, given.get(name)!]));
  const found = await compareWithOnnx(fileRuns(loaded, loading, referenceRuns(loaded, [sample], 1)));
  const [{ difference, allowed }] = (found as unknown as { outputs: [ImportDifference] }).outputs;
  expect(difference).toBeGreaterThan(0.01);
  expect(difference).toBeLessThan(allowed);
});

test("what the manifest declares does not depend on private weights", async () => {
  const declaredOf = async (model: string) =>
    (await compile({ ...options, model, private: ["*"], verify: false })).manifest.errors;
  const [tuned, untouched] = [await declaredOf(options.model), await declaredOf(options.base!)];
  expect(tuned).toHaveLength(1);
  expect(tuned).toEqual(untouched);
});

test("with published ranges the declared error is one of the published integers", async () => {
  const { manifest } = await compile({ ...options, private: ["*"], publishRanges: true, verify: false });
  const listed = manifest.calibration.published!.bounds.filter(({ bound }) => bound === "error");
  expect(listed).toHaveLength(1);
  expect(manifest.errors).toMatchObject([{ tensor: "logits", declared: 2 ** listed[0]!.exponent, published: true }]);
  expect(manifestText(manifest)).toContain("published, with private weights");
});

test("--no-verify skips it, and a build without samples has nothing to compare with", async () => {
  expect((await compile({ ...options, verify: false })).verified).toBeUndefined();
});

test("only small models are verified by default", () => {
  expect(isSmall(compilation)).toBe(true);
  expect(isSmall(compilation, 100)).toBe(false);
});

test("answers beyond the declared error are refused", async () => {
  const other = join(dir, "other");
  writeBuild(other, compilation.files);
  // As if the compiler had lost a summand: float64 answers 0.5 more than the build.
  const shifted: Compilation["referenceRuns"] = (limit) =>
    compilation.referenceRuns(limit).map(({ inputs, outputs }) => ({
      inputs,
      outputs: new Map(
        [...outputs].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x + 0.5) }]),
      ),
    }));
  const failed = verifyCompilation(other, { ...compilation, referenceRuns: shifted });
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0508"]);
  expect(diagnostics[0]!.message).toContain('output "logits"');
});

test("answers beyond what the manifest declares are refused", async () => {
  const other = join(dir, "published");
  writeBuild(other, compilation.files);
  const manifest = { ...compilation.manifest, errors: [{ tensor: "logits", declared: 1e-9, largest: 1 }] };
  const failed = verifyCompilation(other, { ...compilation, manifest });
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0508"]);
  expect(diagnostics[0]!.message).toContain("1.0e-9 that the manifest declares");
});

test("answers too far from float64 are refused whatever is declared; tiny ones, and those a little off, are warned of", async () => {
  const other = join(dir, "far");
  writeBuild(other, compilation.files);
  // As if the model answered 5 % more than the build.
  const scaled: Compilation["referenceRuns"] = (limit) =>
    compilation.referenceRuns(limit).map(({ inputs, outputs }) => ({
      inputs,
      outputs: new Map(
        [...outputs].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => 1.05 * x) }]),
      ),
    }));
  const failed = verifyCompilation(other, { ...compilation, referenceRuns: scaled });
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0508"]);
  expect(diagnostics[0]!.message).toContain("at most 1/32 of the largest value");
  expect(diagnostics[0]!.help).toContain("--quality precise");
  expect(nearnessOf({ largest: 0.001, relativeError: 0.2 })).toBe("coarse");
  const row = { output: "y", largest: 1, secureError: 0.01, plainError: 0.01, relativeError: 0.01 };
  expect(verifiedText([row])).toContain("warning: y is off by 0.010");
  expect(verifiedText([{ ...row, relativeError: 0.001, declared: 0.5 }])).not.toContain("warning");
  expect(verifiedText([{ ...row, declared: 1.4 }])).toContain("it says nothing");
});

test("a build that fails its verification does not replace an earlier one", async () => {
  await compile(options);
  const before = readFileSync(join(build, "manifest.json"), "utf8");
  // Four fractional bits of weights: the first-order bound is crossed or not, the files change either way.
  const coarse = { ...options, precision: { weight: 4 } };
  const outcome = await compile({ ...coarse, verify: true }).then(
    () => "written",
    () => "refused",
  );
  const after = readFileSync(join(build, "manifest.json"), "utf8");
  expect(after === before).toBe(outcome === "refused");
  expect(readdirSync(dir).filter((name) => name.startsWith(".build"))).toEqual([]);
});
