import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../../compiler/api/compile.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { type Written, type WrittenWeight, writeFiles } from "../nets/written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-features-"));
afterAll(() => rmSync(dir, { recursive: true }));

const sizes = [1e-3, 1, 1e3, 1e6];
const row = (values: readonly number[]): WrittenWeight => ({ shape: [values.length], values });
const x = { shape: [1, 4], draw: (seed: number) => numbers(4, seed, 1).map((part, k) => sizes[k]! * (1 + part / 2)) };
const over = (values: readonly number[]): number[] => values.map((value) => value / 3);
const hidden = { shape: [4, 6], values: numbers(24, 3, 0.5) };
const behind: Written["nodes"] = [
  ["MatMul", ["s", "w1"], "h"],
  ["Relu", ["h"], "r"],
  ["MatMul", ["r", "w2"], "y"],
];
const net = { w1: hidden, w2: { shape: [6, 1] } };
const scaler = (weights: Written["weights"], nodes: Written["nodes"]): Written => ({
  inputs: { x },
  weights: { ...weights, ...net },
  nodes: [...nodes, ...behind],
});
const moments = { mean: row(sizes), std: row(over(sizes)) };

/** Weights in inverse proportion to the features that they meet, as training on raw features gives them. */
const raw = (columns: number): WrittenWeight => ({
  shape: [4, columns],
  values: numbers(4 * columns, 5, 1).map((weight, k) => weight / sizes[Math.floor(k / columns)]!),
});

async function refusalOf(options: Parameters<typeof compile>[0]): Promise<string> {
  const error: unknown = await compile(options).catch((caught: unknown) => caught);
  if (!(error instanceof DiagnosticError)) throw new Error("expected a refusal");
  return error.diagnostics.map(({ code, help }) => `${code} ${help}`).join("\n");
}

const optionsOf = (name: string, model: Written) => {
  const { at, model: file, calibrate } = writeFiles(dir, name, model);
  return { model: file, calibrate, private: ["*"], reveal: { y: "client" }, output: join(at, "build") } as const;
};

test.each([
  [
    "(x − mean) / std",
    scaler(moments, [
      ["Sub", ["x", "mean"], "c"],
      ["Div", ["c", "std"], "s"],
    ]),
    ["mean", "std"],
  ],
  [
    "(x − mean) / std before distances to private rows",
    scaler({ ...moments, a: row([0.5, 1, -1, 0.25]), b: row([1, -0.5, 0.75, -1]) }, [
      ["Sub", ["x", "mean"], "c"],
      ["Div", ["c", "std"], "z"],
      ["Sub", ["z", "a"], "to_a"],
      ["Sub", ["z", "b"], "to_b"],
      ["Mul", ["to_a", "to_b"], "s"],
    ]),
    ["mean", "std"],
  ],
  [
    "x·scale + shift",
    scaler({ scale: row(over(sizes).map((size) => 1 / size)), shift: row([-3, -3, -3, -3]) }, [
      ["Mul", ["x", "scale"], "c"],
      ["Add", ["c", "shift"], "s"],
    ]),
    ["scale", "shift"],
  ],
  [
    "batch normalization",
    scaler(
      {
        g: row([1, 0.9, 1.2, 1.1]),
        b: row([0.1, -0.1, 0.2, 0.3]),
        mean: row(sizes),
        var: row(over(sizes).map((size) => size ** 2)),
      },
      [["BatchNormalization", ["x", "g", "b", "mean", "var"], "s"]],
    ),
    ["g", "var", "b", "mean"],
  ],
])("a private scaler of the client's features is refused with the names that work: %s", async (name, model, names) => {
  const options = optionsOf(name, model);
  const said = await refusalOf(options);
  const named = [...said.matchAll(/--public '([^']+)'/g)].map(([, weight]) => weight!);
  expect(named).toEqual(names);
  const { verified } = await compile({ ...options, public: named });
  expect(verified![0]!.relativeError).toBeLessThan(2 ** -9);
});

test.each([
  ["a layer", { w1: raw(6), w2: { shape: [6, 1] } }, [["Identity", ["x"], "s"], ...behind]],
  ["a regression", { w: raw(1) }, [["MatMul", ["x", "w"], "y"]]],
] as const)("raw features of very different sizes compile with the option that is told: %s", async (name, weights, nodes) => {
  const options = optionsOf(name, { inputs: { x }, weights, nodes });
  expect(await refusalOf(options)).toMatch(/compiles: --scale-features$/);
  const { verified, manifest } = await compile({ ...options, scaleFeatures: true });
  expect(verified![0]!.relativeError).toBeLessThan(2 ** -9);
  // Powers of two above the features are public, and what the client shares is divided by them.
  const open = manifest.weights.filter(({ label }) => label === "public");
  expect(open.map(({ name: weight }) => weight)).toEqual(["x.scale"]);
  expect(manifest.cuts[0]!.range!.every((end) => Math.abs(end) < 8)).toBe(true);
});

test("tests of trees on such features are scaled with them", async () => {
  const features = [0, 1, 2, 3, 0, 2];
  const selected = Array.from({ length: 24 }, (_, k) => Number(features[k % 6] === Math.floor(k / 6)));
  const files = optionsOf("tests", {
    inputs: { x },
    weights: {
      selected: { shape: [4, 6], values: selected },
      t: { shape: [6], values: features.map((feature, k) => sizes[feature]! * (0.8 + 0.07 * k)) },
      zero: { shape: [], values: [0] },
      leaves: { shape: [6, 2] },
    },
    nodes: [
      ["MatMul", ["x", "selected"], "h"],
      ["Sub", ["h", "t"], "beyond"],
      ["Greater", ["beyond", "zero"], "c"],
      ["Cast", ["c"], "n", { to: 1 }],
      ["MatMul", ["n", "leaves"], "y"],
    ],
  });
  const options = { ...files, public: ["zero"] };
  expect(await refusalOf(options)).toMatch(/^MRL0510 this was tried, and compiles: --scale-features$/);
  const { verified, manifest } = await compile({ ...options, scaleFeatures: true });
  expect(verified).toMatchObject([{ output: "y", relativeError: expect.closeTo(0, 3) }]);
  expect(manifest.decisions!.every(({ distance }) => distance < 2 ** -7)).toBe(true);
});

test("with a base, its weights are multiplied as the private ones are", async () => {
  const options = optionsOf("based", { inputs: { x }, weights: { w: raw(2) }, nodes: [["MatMul", ["x", "w"], "y"]] });
  const { verified } = await compile({ ...options, base: options.model, scaleFeatures: true });
  expect(verified![0]!.relativeError).toBeLessThan(2 ** -9);
});

test("without samples, bounds of such features are refused as the samples would be, and asked for (MRL0508)", async () => {
  const large = { shape: [1, 4], draw: (seed: number) => numbers(4, seed, 5e5) };
  const weights = { w: { shape: [4, 1], values: numbers(4, 5, 1e-6) } };
  const { calibrate, ...options } = optionsOf("bounded", {
    inputs: { x: large },
    weights,
    nodes: [["MatMul", ["x", "w"], "y"]],
  });
  const ranges = join(options.output, "..", "ranges.json");
  writeFileSync(ranges, JSON.stringify({ schema: 1, values: [{ name: "x", lo: -1e6, hi: 1e6 }] }));
  expect(await refusalOf({ ...options, ranges })).toMatch(/^MRL0508 compile with --calibrate <folder>/);
  expect(await refusalOf({ ...options, calibrate })).toMatch(/compile with --scale-features;/);
  const { verified } = await compile({ ...options, calibrate, scaleFeatures: true });
  expect(verified![0]!.relativeError).toBeLessThan(2 ** -9);
});

test("features that meet anything but private matrices cannot be scaled (MRL0674)", async () => {
  const options = optionsOf("summed", {
    inputs: { x },
    weights: net,
    nodes: [
      ["Add", ["x", "x"], "d"],
      ["Tanh", ["x"], "t"],
      ["Add", ["d", "t"], "e"],
      ["MatMul", ["e", "w1"], "f"],
      ["MatMul", ["f", "w2"], "g"],
      ["Add", ["g", "e"], "y"],
    ],
  });
  expect(await refusalOf({ ...options, scaleFeatures: true })).toMatch(/^MRL0674 .*leave out --scale-features/);
  const { calibrate: _, ...bare } = options;
  expect(await refusalOf({ ...bare, scaleFeatures: true })).toMatch(/^MRL0674 add --calibrate/);
});

test("a choice of two private numbers is bounded as each of them is, though their difference is larger", async () => {
  const options = optionsOf("chosen", {
    inputs: { x: { shape: [1, 4] } },
    weights: {
      w: { shape: [4, 6] },
      t: { shape: [], values: [0.1] },
      high: { shape: [], values: [7] },
      low: { shape: [], values: [-3] },
    },
    nodes: [
      ["MatMul", ["x", "w"], "h"],
      ["Greater", ["h", "t"], "c"],
      ["Where", ["c", "high", "low"], "y"],
    ],
  });
  const { verified } = await compile(options);
  expect(verified).toMatchObject([{ output: "y", largest: 7, secureError: expect.closeTo(0, 2) }]);
});
