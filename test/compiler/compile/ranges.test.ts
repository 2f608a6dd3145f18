import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { type Compilation, compileModel } from "../../../compiler/compile/compile.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { runPlain } from "../../../compiler/run/plain.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { deepNet, trainedNets } from "./trained-nets.ts";
import { floatResult, type TrainedFiles, withWeights, writeTrained } from "./write-trained.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-ranges-"));
afterAll(() => rmSync(dir, { recursive: true }));

const owned = { private: ["*"], reveal: { y: "client" } } as const;
const compiled = (options: Omit<ModelOptions, "private" | "reveal">): Compilation =>
  compileModel(resolveModelOptions({ ...owned, ...options }));
const written = (name: string, net = trainedNets[name]!): TrainedFiles =>
  writeTrained(mkdtempSync(join(dir, "net-")), net);
const fileOf = (text: string): string => {
  const file = join(mkdtempSync(join(dir, "ranges-")), "ranges.json");
  writeFileSync(file, text);
  return file;
};
const programOf = ({ files }: Compilation): string => new TextDecoder().decode(files.get("program.mir"));
const publishedOf = ({ manifest }: Compilation) => manifest.calibration.published;

/** Values that published magnitudes bound. */
const valuesOf = ({ manifest }: Pick<Compilation, "manifest">): readonly string[] =>
  manifest.calibration.published!.bounds.filter(({ bound }) => bound === "magnitude").map(({ value }) => value);

/** The diagnostics that `run` throws. */
function problemsOf(run: () => unknown): DiagnosticError["diagnostics"] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
}

describe("a file of ranges", () => {
  it.each([
    ["Gemm, Relu", false],
    ["Gemm, Relu", true],
    ["projections of attention", false],
    ["projections of attention", true],
    ["LayerNormalization with scale and bias", false],
    ["LayerNormalization with scale and bias", true],
    ["an embedding and positions", false],
    ["scales and scalars", true],
  ])("%s (published: %s): what one compilation writes gives the same program again", (name, publishRanges) => {
    const { model, calibrate } = written(name);
    const first = compiled({ model, calibrate, publishRanges });
    const ranges = fileOf(first.ranges);
    const again = compiled({ model, ranges });
    expect(programOf(again)).toBe(programOf(first));
    expect(programOf(compiled({ model, ranges, calibrate }))).toBe(programOf(first));
    expect(again.ranges).toBe(first.ranges.replace(/"source": ".*"/, () => /"source": ".*"/.exec(again.ranges)![0]));
    // What was published once is public: the file publishes nothing.
    expect(publishedOf(again)).toBeUndefined();
  });

  it("holds under other options that keep the values", () => {
    const { model, calibrate } = written("projections of attention");
    const ranges = fileOf(compiled({ model, calibrate }).ranges);
    for (const options of [{ truncation: "exact" }, { setting: "3pc" }, { link: "lan" }] as const) {
      expect(problemsOf(() => compiled({ model, ranges, ...options }))).toEqual([]);
    }
  });

  it("bounds some values, and the others are measured", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const row = { name: "h.matmul", lo: -1000, hi: 1000 };
    const narrow = compiled({ model, calibrate });
    const wide = compiled({ model, calibrate, ranges: fileOf(JSON.stringify({ schema: 1, values: [row] })) });
    const rows = (text: string): readonly { name: string; hi: number }[] => JSON.parse(text).values;
    const bound = (of: Compilation, name: string) => rows(of.ranges).find((each) => each.name === name)!.hi;
    expect(bound(narrow, "h.matmul")).toBeLessThan(1000);
    expect(bound(wide, "h.matmul")).toBe(1000);
    expect(bound(wide, "x")).toBe(bound(narrow, "x"));
  });

  it("has rows of inputs, which count instead of what calibration measures, wider and narrower", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const sharedWith = (...values: readonly object[]): number =>
      compiled({ model, calibrate, ranges: fileOf(JSON.stringify({ schema: 1, values })) }).manifest.cuts[0]!.range![1];
    const measured = sharedWith();
    for (const hi of [measured * 3, measured * 0.75]) expect(sharedWith({ name: "x", lo: -hi, hi })).toBe(hi);
  });

  it("that the private weights leave is refused, and says what to do", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const row = { name: "h", lo: -0.5, hi: 0.5 };
    const ranges = fileOf(JSON.stringify({ schema: 1, values: [row] }));
    const [found, ...more] = problemsOf(() => compiled({ model, calibrate, ranges }));
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      code: "MRL0505",
      help: `widen the bounds of these values in ${ranges}, or remove their rows`,
    });
    expect(problemsOf(() => compiled({ model, calibrate }))).toEqual([]);
  });

  it("bounds weights too, so that a large one compiles", () => {
    const { model, calibrate } = written(
      "Gemm, Relu",
      withWeights(trainedNets["Gemm, Relu"]!, (x, at, name) => (name === "a.weight" && at === 0 ? 55 : x)),
    );
    const ranges = fileOf(JSON.stringify({ schema: 1, values: [{ name: "a.weight", lo: -64, hi: 64 }] }));
    expect(problemsOf(() => compiled({ model, calibrate })).map(({ code }) => code)).toEqual(["MRL0504"]);
    expect(problemsOf(() => compiled({ model, calibrate, ranges }))).toEqual([]);
    expect(problemsOf(() => compiled({ model, calibrate, publishRanges: true }))).toEqual([]);
  });

  const rows = (...values: unknown[]): string => JSON.stringify({ schema: 1, values });
  it.each([
    ["", ["MRL0666"]],
    ["[1, 2]", ["MRL0666"]],
    ["{}", ["MRL0666"]],
    ['{ "schema": 2, "values": [] }', ["MRL0666"]],
    ['{ "schema": 1 }', ["MRL0666"]],
    ['{ "schema": 1, "values": [], "value": [] }', ["MRL0666"]],
    [rows(7), ["MRL0666"]],
    [rows({ lo: 0, hi: 1 }), ["MRL0666"]],
    [rows({ name: "x", lo: 0 }), ["MRL0666"]],
    [rows({ name: "x", lo: 0, hi: "1" }), ["MRL0666"]],
    [rows({ name: "x", lo: 0, hi: null }), ["MRL0666"]],
    ['{ "schema": 1, "values": [{ "name": "x", "lo": 0, "hi": 1e999 }] }', ["MRL0666"]],
    [rows({ name: "x", lo: 0, hi: 1, least: 0 }), ["MRL0666"]],
    [rows({ name: "nobody", lo: 0, hi: 1 }), ["MRL0667"]],
    [rows({ name: "__proto__", lo: 0, hi: 1 }), ["MRL0667"]],
    [rows({ name: "a.weight", lo: -1, hi: 2 }), ["MRL0668"]],
    [rows({ name: "a.weight", lo: -3, hi: 3 }), ["MRL0668"]],
    [rows({ name: "x", lo: 0, hi: 1 }, { name: "x", lo: 0, hi: 1 }), ["MRL0667"]],
    [rows({ name: "x", lo: 1, hi: 0 }), ["MRL0668"]],
    [rows({ name: "h", lo: 0, hi: 1, score_bound: 2 }), ["MRL0668"]],
    [
      rows({ name: "x", lo: 1, hi: 0 }, { name: "nobody", lo: 0, hi: 1 }, { name: "h", lo: 2, hi: 1 }),
      ["MRL0668", "MRL0668", "MRL0667"],
    ],
    [
      rows({ name: "nobody", lo: 1, hi: 0 }, { name: "x", lo: 0, hi: 1 }, { name: "x", lo: 2, hi: 1 }),
      ["MRL0668", "MRL0668", "MRL0667", "MRL0667"],
    ],
  ])("%s is refused: %s", (text, codes) => {
    const { model, calibrate } = written("Gemm, Relu");
    const ranges = fileOf(text);
    const found = problemsOf(() => compiled({ model, calibrate, ranges }));
    expect(found.map(({ code }) => code)).toEqual(codes);
    for (const { at, help } of found) expect([at, typeof help]).toEqual([ranges, "string"]);
  });

  it("all faults of its form are told, each once", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const [bare, odd] = [
      { name: "x", lo: 0 },
      { name: "h", lo: "0", hi: 1, most: 3 },
    ];
    const found = problemsOf(() => compiled({ model, calibrate, ranges: fileOf(rows(7, bare, bare, odd)) }));
    expect(found.map(({ code, message }) => [code, message])).toEqual([
      ["MRL0666", "expected a file of ranges, found no object as value 1"],
    ]);
    expect(found[0]!.because).toEqual([
      'found "x" without hi',
      'found the field "most" of "h"',
      'found lo of "h", which is not a finite number',
    ]);
  });

  it("bounds of an input that the calibration inputs leave are told of the input, once", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const narrow = fileOf(rows({ name: "x", lo: -0.001, hi: 0.001 }));
    const [first, ...more] = problemsOf(() => compiled({ model, calibrate, ranges: narrow }));
    expect([first!.code, more]).toEqual(["MRL0505", []]);
    expect(first!.message).toMatch(/^%x: expected values in the public bounds .* on the calibration inputs$/);
    expect((first!.because ?? []).join()).not.toContain("%x.share");
    expect(first!.help).toContain(`widen the bounds of these values in ${narrow}`);
  });

  it("that does not exist, or is a folder, is refused", () => {
    const { model, calibrate } = written("Gemm, Relu");
    for (const ranges of [join(dir, "nothing.json"), dir]) {
      expect(problemsOf(() => compiled({ model, calibrate, ranges })).map(({ code }) => code)).toEqual(["MRL0666"]);
    }
  });
});

describe("without calibration inputs", () => {
  it("one message says what is missing, and the file that it shows works", async () => {
    const { model, input } = written("Gemm, Relu");
    const [found, ...more] = problemsOf(() => compiled({ model }));
    expect(more).toEqual([]);
    expect(found!.code).toBe("MRL0669");
    const file = /as (\{.*\]\s*\})/.exec(found!.help!)![1]!;
    const ranges = fileOf(file.replace('"lo": -1, "hi": 1', '"lo": -2, "hi": 2'));
    const out = join(mkdtempSync(join(dir, "build-")), "build");
    build(out, { ...owned, model, ranges });
    const found2 = (await runPlain(out, readInputFiles([input]))).outputs.get("y")!;
    expect(largestDifference(found2.tensor.data, await floatResult(model, input))).toBeLessThan(
      await declaredError(out, input),
    );
  });

  it("bounds by the limits of private weights alone serve where they fit, and publish nothing", () => {
    const { model } = written("an embedding and positions");
    const { manifest } = compiled({ model });
    expect(manifest.calibration.source).toBe("none: interval analysis");
    expect(publishedOf({ manifest } as Compilation)).toBeUndefined();
  });

  it.each([
    [2, "none: interval analysis"],
    [7, "none: 8 inputs drawn within their bounds"],
  ])("%i layers whose inputs have bounds: %s", async (depth, source) => {
    const { model, input } = written("", deepNet(depth));
    const ranges = fileOf(JSON.stringify({ schema: 1, values: [{ name: "x", lo: -2, hi: 2 }] }));
    const out = join(mkdtempSync(join(dir, "build-")), "build");
    const { manifest } = build(out, { ...owned, model, ranges });
    expect(manifest.calibration.source).toBe(source);
    const plain = (await runPlain(out, readInputFiles([input]))).outputs.get("y")!;
    expect(largestDifference(plain.tensor.data, await floatResult(model, input))).toBeLessThan(
      await declaredError(out, input),
    );
  });

  it("published norms of the weights bound every input within its bounds", async () => {
    const { model, input } = written("Gemm, Relu");
    const ranges = fileOf(JSON.stringify({ schema: 1, values: [{ name: "x", lo: -2, hi: 2 }] }));
    const out = join(mkdtempSync(join(dir, "build-")), "build");
    const first = build(out, { ...owned, model, ranges, publishRanges: true });
    expect(valuesOf(first)).toEqual(["h.matmul", "h", "y.matmul", "y.shared"]);
    const exact = await floatResult(model, input);
    const plain = (await runPlain(out, readInputFiles([input]))).outputs.get("y")!;
    expect(largestDifference(plain.tensor.data, exact)).toBeLessThan(await declaredError(out, input));
  });

  it("published ranges need bounds of inputs too", () => {
    const { model } = written("Gemm, Relu");
    expect(problemsOf(() => compiled({ model, publishRanges: true })).map(({ code }) => code)).toEqual(["MRL0669"]);
  });
});

describe("what becomes public", () => {
  /** Everything but the server's own weights. */
  const publicFiles = ({ files }: Compilation) =>
    new Map([...files].filter(([path]) => !path.startsWith("server/weights")));
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const nets = [
    "Gemm, Relu",
    "projections of attention",
    "LayerNormalization with scale and bias",
    "scales and scalars",
  ];
  const other = (x: number, at: number): number => x * (at % 3 === 0 ? 0.99 : 1.01);

  it.each(nets)("%s: without --publish-ranges, no file depends on private weights", (name) => {
    const { model, calibrate } = written(name);
    const first = compiled({ model, calibrate });
    const changed = written(
      name,
      withWeights(trainedNets[name]!, (x, at) => x * (at % 2 === 0 ? 0.6 : 1.2)),
    );
    const second = compiled({ model: changed.model, calibrate });
    expect(publishedOf(first)).toBeUndefined();
    for (const [path, bytes] of publicFiles(first)) expect(text(second.files.get(path)!), path).toBe(text(bytes));
    expect(second.files.get("server/weights.safetensors")).not.toEqual(first.files.get("server/weights.safetensors"));
  });

  it.each(nets)("%s: with it, the listed integers are all that the files tell", (name) => {
    const { model, calibrate } = written(name);
    const first = compiled({ model, calibrate, publishRanges: true });
    const changed = written(name, withWeights(trainedNets[name]!, other));
    const second = compiled({ model: changed.model, calibrate, publishRanges: true });
    // Other weights with the same integers …
    expect(publishedOf(second)).toEqual(publishedOf(first));
    expect(second.files.get("server/weights.safetensors")).not.toEqual(first.files.get("server/weights.safetensors"));
    // … give the same bytes for everybody.
    for (const [path, bytes] of publicFiles(first)) expect(text(second.files.get(path)!), path).toBe(text(bytes));
  });

  it("larger weights publish larger integers, in the same places", () => {
    const net = trainedNets["Gemm, Relu"]!;
    const { calibrate } = written("Gemm, Relu");
    const published = (factor: number) => {
      const { model } = written(
        "Gemm, Relu",
        withWeights(net, (x, _, at) => (at === "a.weight" ? factor * x : x)),
      );
      return publishedOf(compiled({ model, calibrate, publishRanges: true }))!;
    };
    const [small, large] = [published(1), published(8)];
    expect(large.bounds.map(({ value }) => value)).toEqual(small.bounds.map(({ value }) => value));
    const exponents = ({ bounds }: typeof small, kind: string) =>
      bounds.filter((each) => each.bound === kind).map((each) => each.exponent);
    expect(exponents(large, "weight")[0]).toBe(exponents(small, "weight")[0]! + 3);
    expect(exponents(large, "magnitude")[0]).toBe(exponents(small, "magnitude")[0]! + 3);
    expect(small).toMatchObject({ integers: small.bounds.length, bits: 6 * small.bounds.length });
  });

  it("the checker says what was published, and refuses a list that the program exceeds", () => {
    const { model, calibrate } = written("Gemm, Relu");
    const { files, manifest } = compiled({ model, calibrate, publishRanges: true });
    expect(checkFlow(files)).toMatchObject({ published: manifest.calibration.published, findings: [] });
    const { published } = manifest.calibration;
    const lying = [
      { ...published!, integers: 0 },
      { ...published!, bounds: published!.bounds.map((each) => ({ ...each, exponent: -8 })) },
    ];
    const claims = lying.map((claim) => ({
      ...manifest,
      calibration: { ...manifest.calibration, published: claim },
    }));
    const unlisted = { ...manifest, errors: [{ tensor: "y", declared: 0.0123, largest: 1 }] };
    for (const claimed of [...claims, unlisted]) {
      // As the compiler writes it: what is refused is the claim.
      const bytes = new TextEncoder().encode(`${JSON.stringify(claimed, undefined, 2)}\n`);
      const forged = new Map([...files].map(([path, own]) => [path, path.endsWith("manifest.json") ? bytes : own]));
      expect(checkFlow(forged).findings.map(({ code }) => code)).toContain("MRL0910");
    }
  });
});

it("patterns that make a part private keep the rest public, and only what follows is published", async () => {
  const { model, calibrate, input } = written("Gemm, Relu");
  const out = join(mkdtempSync(join(dir, "build-")), "build");
  const options = { model, calibrate, private: ["b.*"], reveal: { y: "client" } } as const;
  const { manifest } = build(out, { ...options, publishRanges: true });
  expect(valuesOf({ manifest })).toEqual(["y.matmul", "y.shared"]);
  expect(manifest.calibration.published!.bounds.filter(({ bound }) => bound === "weight")).toHaveLength(2);
  build(out, options);
  const plain = (await runPlain(out, readInputFiles([input]))).outputs.get("y")!;
  expect(largestDifference(plain.tensor.data, await floatResult(model, input))).toBeLessThan(
    await declaredError(out, input),
  );
});
