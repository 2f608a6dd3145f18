import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { runPlain } from "../../../compiler/run/plain.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { trainedNets } from "./trained-nets.ts";
import { floatResult, writeTrained } from "./write-trained.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-no-base-"));
afterAll(() => rmSync(dir, { recursive: true }));
const cases = join(import.meta.dirname, "../../../fixtures/cases");

const owned = { private: ["*"], reveal: { y: "client" } } as const;

describe("a trained network without a public base", () => {
  it.each(
    Object.keys(trainedNets),
  )("%s: compiles with every weight private, and answers as onnxruntime does", async (name) => {
    const folder = mkdtempSync(join(dir, "net-"));
    const { model, calibrate, input } = writeTrained(folder, trainedNets[name]!);
    const out = join(folder, "build");
    const { manifest } = build(out, { ...owned, model, calibrate });
    expect(manifest.weights.filter(({ label }) => label === "public")).toEqual([]);
    const exact = await floatResult(model, input);
    const plain = await runPlain(out, readInputFiles([input]));
    expect(largestDifference(plain.outputs.get("y")!.tensor.data, exact)).toBeLessThan(await declaredError(out, input));
  });

  it.each([
    "Conv, depthwise Conv, ConvTranspose",
    "LSTM",
    "an embedding and positions",
  ])("%s: three parties answer so too, with the traffic that was counted", async (name) => {
    const folder = mkdtempSync(join(dir, "net-"));
    const { model, calibrate, input } = writeTrained(folder, trainedNets[name]!);
    const out = join(folder, "build");
    build(out, { ...owned, model, calibrate });
    const { outputs, report } = await queryOnce(out, [input]);
    const exact = await floatResult(model, input);
    expect(largestDifference(outputs.get("y")!.data, exact)).toBeLessThan(await declaredError(out, input));
    expect(report.measured).toEqual(report.predicted);
  });
});

it.each(["bumblebee", "sigma"])("the preset %s takes a network without a base too", async (preset) => {
  const folder = mkdtempSync(join(dir, "net-"));
  const { model, calibrate, input } = writeTrained(folder, trainedNets["projections of attention"]!);
  const out = join(folder, "build");
  build(out, { ...owned, model, calibrate, preset });
  const { outputs: plain } = await runPlain(out, readInputFiles([input]));
  const exact = await floatResult(model, input);
  // The approximations of the system, on values of up to 6.
  expect(largestDifference(plain.get("y")!.tensor.data, exact)).toBeLessThan(0.25);
});

describe("networks of public reports", () => {
  it.each([
    ["no-base-cnn", { reveal: { y: "client" } }],
    ["no-base-sklearn", { reveal: { probabilities: "client" }, dims: { "X.0": 2 } }],
    ["trained-mlp-no-base", { reveal: { y: "client" } }],
  ] as const)("%s compiles as its user typed it, and answers as onnxruntime does", async (name, options) => {
    const [model, calibrate] = [join(cases, name, "model.onnx"), join(cases, name, "calib")];
    const out = join(dir, name);
    build(out, { ...options, private: ["*"], model, calibrate });
    const input = join(calibrate, "0.npz");
    const [output] = Object.keys(options.reveal) as [string];
    const plain = await runPlain(out, readInputFiles([input]));
    const exact = await floatResult(model, input, output);
    expect(largestDifference(plain.outputs.get(output)!.tensor.data, exact)).toBeLessThan(
      await declaredError(out, input),
    );
  });

  it("a base that training left far behind is refused, with the margin that works", () => {
    const folder = join(cases, "trained-mlp-no-base");
    const options = { ...owned, model: join(folder, "model.onnx"), calibrate: join(folder, "calib") };
    const base = join(folder, "fresh.onnx");
    const trial = (margin?: number) => (): void => {
      build(join(dir, "with-base"), { ...options, base, ...(margin !== undefined && { margin }) });
    };
    expect(codesOf(trial())).toEqual(["MRL0505"]);
    let help = "";
    try {
      trial()();
    } catch (error) {
      help = (error as Error).message;
    }
    const margin = Number(/--margin (\d+)/.exec(help)![1]);
    expect(codesOf(trial(margin))).toEqual([]);
    expect(codesOf(trial(margin - 1))).toEqual(["MRL0505"]);
    // The other way out: publish.
    expect(codesOf(() => build(join(dir, "published"), { ...options, base, publishRanges: true }))).toEqual([]);
  });
});
