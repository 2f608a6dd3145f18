import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { measureErrors } from "../../../compiler/accuracy/error-bound.ts";
import { isUseful, wouldVerify } from "../../../compiler/accuracy/index.ts";
import { loadCompiler } from "../../../compiler/api/compile.ts";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { verifyCompilation } from "../../../compiler/api/verify.ts";
import { writeBuild } from "../../../compiler/build/index.ts";
import type { Compilation } from "../../../compiler/compile/index.ts";
import { manifestText, verifiedText } from "../../../compiler/report/text/index.ts";
import { loadPlain } from "../../../compiler/run/plain.ts";
import { writeNpz } from "../../../compiler/tensors/index.ts";
import type { DiagnosticError } from "../../../ir/diagnostic.ts";
import { tensor } from "../../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-decisions-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** x·1 > ½ ? 7 : −3, and x·1 where that is positive: one decision, and a comparison that makes no difference. */
const graph = {
  name: "thresholds",
  initializer: [
    floatTensor("fc.weight", [4, 4], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
    floatTensor("edge", [1], [0.5]),
    floatTensor("high", [1], [7]),
    floatTensor("low", [1], [-3]),
    floatTensor("none", [1], [0]),
  ],
  input: [floatInfo("x", 1, 4)],
  output: [floatInfo("y", 1, 4), floatInfo("z", 1, 4)],
  node: [
    node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
    node("Greater", ["h", "edge"], ["above"], "/Greater"),
    node("Where", ["above", "high", "low"], ["y"], "/Where"),
    node("Greater", ["h", "none"], ["positive"], "/Positive"),
    node("Where", ["positive", "h", "none"], ["z"], "/Relu"),
  ],
};
let compilation: Compilation;
const build = join(dir, "build");

beforeAll(async () => {
  const [model, calibrate] = [join(dir, "model.onnx"), join(dir, "calibration")];
  writeFileSync(model, modelBytes(graph));
  mkdirSync(calibrate);
  // The first is as near to the threshold as its rounding, the third as near to the zero of the other comparison.
  const x = tensor([1, 4], [0.5 + 2 ** -14, 1.75, 2 ** -14, -1.5]);
  writeFileSync(join(calibrate, "x.npz"), writeNpz(new Map([["x", { dtype: "float32", tensor: x }]])));
  const options = {
    model,
    base: model,
    private: ["fc.weight", "edge"],
    reveal: { y: "client", z: "client" } as const,
    calibrate,
  };
  compilation = (await loadCompiler()).compileModel(resolveModelOptions(options), { declare: true });
  writeBuild(build, compilation.files);
});

/** Verified against a model that gives these instead. */
const verified = (change: (y: Float64Array) => Float64Array, x?: readonly number[]) =>
  verifyCompilation(build, {
    ...compilation,
    fileRuns: () => compilation.fileRuns(compilation.referenceRuns(1)),
    referenceRuns: (limit) =>
      compilation.referenceRuns(limit).map(({ inputs, outputs }) => {
        const { shape, data } = outputs.get("y")!;
        return {
          inputs: x ? new Map([["x", { dtype: "float32", tensor: tensor(shape, x) }]]) : inputs,
          outputs: new Map([
            ...outputs,
            ["y", { shape, data: change(data) }],
            ...(x ? [["z", tensor(shape, x)] as const] : []),
          ]),
        };
      }),
  });

test("the manifest tells which decision may go either way, and what then becomes of the output", () => {
  const { decisions, errors } = compilation.manifest;
  expect(decisions).toMatchObject([{ operator: "compare", at: "/Greater", outputs: [{ tensor: "y" }] }]);
  const [{ distance, outputs }] = decisions as [NonNullable<typeof decisions>[0]];
  expect(distance).toBeGreaterThan(2 ** -13);
  expect(distance).toBeLessThan(2 ** -6);
  expect(outputs[0]!.differs).toBeGreaterThanOrEqual(10);
  // The error is that of an answer whose decisions are right.
  expect(errors!.find(({ tensor }) => tensor === "y")!.declared).toBeLessThan(2 ** -8);
  expect(manifestText(compilation.manifest)).toContain(
    `decision /Greater (compare): numbers at most ${distance} apart may go either way; y may then differ by up to `,
  );
});

test("verification counts an element whose decision may go either way, and takes the other outcome", async () => {
  const { verified: found } = await verified((y) => y.with(0, -3));
  expect(found.map(({ output, undecided }) => [output, undecided])).toEqual([
    ["y", { count: 1, of: 4, otherwise: 1, farthest: 10 }],
    ["z", undefined],
  ]);
  expect(found[0]!.secureError).toBeLessThan(2 ** -8);
  expect(verifiedText(found)).toContain("1 of 4 elements of y depend on a decision that may go either way");
  expect(verifiedText(found)).toContain("1 of them did, by up to 10: --quality precise");
});

const edge = Array.from({ length: 4 }, () => 0.5 + 2 ** -14);

test("the ends of what can be published are said in words: no bound, and no error at all", () => {
  const [one] = compilation.manifest.decisions!;
  const [error] = compilation.manifest.errors!;
  const says = (distance: number): string =>
    manifestText({
      ...compilation.manifest,
      decisions: [{ ...one!, distance }],
      errors: [{ ...error!, declared: 2 ** 63 }],
    });
  expect(says(2 ** -64)).not.toContain("decision /Greater");
  expect(says(2 ** 63)).toContain(
    "decision /Greater (compare): any number, since errors leave the rings, may go either way",
  );
  expect(says(2 ** 63)).toMatch(/declared error of [yz]: none: errors may carry a value out of its ring \(/);
  expect(says(2 ** 63)).not.toContain("9223372036854776000");
});

test("where all elements depend on a decision, no error was measured: zero is not printed", async () => {
  const { verified: found } = await verified(() => new Float64Array(4).fill(7), edge);
  expect(found[0]).toMatchObject({ output: "y", undecided: { count: 4, of: 4, otherwise: 0, farthest: 0 } });
  expect(found[0]!.relativeError).toBeUndefined();
  expect(verifiedText(found)).toMatch(/^y +7\.0 +none compared +\d/m);
});

test("where most elements depend on a decision and some fell otherwise, the build is refused", async () => {
  const failed = verified(() => new Float64Array([7, 7, -3, 7]), edge);
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code }) => code)).toEqual(["MRL0508"]);
  expect(diagnostics[0]!.message).toContain("found 4 of 4, of which 1 differ from float64, by up to 10 of 7.00");
  expect(diagnostics[0]!.help).toMatch(/; --no-verify accepts the error$/);
});

test("own weights that their scale holds have no error, so large features do not widen the distance", async () => {
  const { module, weights } = await loadPlain(build);
  const inputs = new Map(module.inputs.map((id) => [id, tensor([1, 4], [7, 7, 7, 7])]));
  const widest = (weightsAre: "own" | "stand-ins"): number =>
    Math.max(...measureErrors(module, weights, inputs, { weightsAre }).distances.values());
  expect(widest("own")).toBeLessThan(widest("stand-ins"));
});

test("verification refuses another decision outside of the distance", async () => {
  const failed = verified((y) => y.with(1, -3));
  const { diagnostics } = (await failed.catch((error: unknown) => error)) as DiagnosticError;
  expect(diagnostics.map(({ code, message }) => [code, message.includes('output "y"')])).toEqual([["MRL0508", true]]);
});

/** Whether options would be told whose program answers as this one does, where the model answers `y` and `z`. */
async function judged(x: readonly number[], y: readonly number[], z: readonly number[], rows = 1) {
  const { module, weights } = await loadPlain(build);
  const inputs = new Map(module.inputs.map((id) => [id, tensor([1, 4], x)]));
  const exact = new Map(module.outputs.map((id, at) => [id, tensor([rows, 4 / rows], at === 0 ? y : z)]));
  const tried = { module, weights, inputs: [inputs], exact: [exact], declares: true };
  return { useful: isUseful(tried), verified: wouldVerify(tried) };
}

test("an option is told though a decision within its distance falls otherwise, and not where most do", async () => {
  const x = [0.5 + 2 ** -14, 1.75, 2 ** -14, -1.5];
  const z = x.map((each) => Math.max(0, each));
  const good = { useful: true, verified: true };
  expect(await judged(x, [7, 7, -3, -3], z)).toEqual(good);
  expect(await judged(x, [-3, 7, -3, -3], z)).toEqual(good);
  expect(await judged(x, [7, -3, -3, -3], z)).toEqual({ useful: false, verified: false });
  expect(await judged(edge, [7, 7, -3, 7], edge)).toEqual({ useful: false, verified: false });
  // An error of use may exceed what is declared: verification would refuse it.
  expect(await judged(x, [7, 7, -3, -3], z.with(1, 1.74))).toEqual({ useful: true, verified: false });
  // A row in place of its likeliest index is not compared.
  expect(await judged(x, [1, 1, 1, 1], z, 2)).toEqual(good);
});
