import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { flowReportText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import type { Module, Op, Value } from "../../../ir/module.ts";
import { codesOf, edited as inFiles, programPaths, withManifest, withModule } from "./builds.ts";

/* A build with a guard opens one bit beside its outputs. Hostile builds that use it for another secret are refused. */
const fixture = join(import.meta.dirname, "../../../fixtures/cases/input-beyond-range");
const model = join(fixture, "model.onnx");
const { files, module } = compileModel(
  resolveModelOptions({
    model,
    base: model,
    private: ["*"],
    reveal: { y: "client" },
    calibrate: join(fixture, "calib"),
    guard: ["all"],
  }),
);

test("a build with a guard opens its output and one bit, both to the client", () => {
  const report = checkFlow(files);
  const { findings, opened } = report;
  expect(findings).toEqual([]);
  // Ranges that somebody changed in every file are ranges: only calibration knows others.
  expect(flowReportText(report)).toContain("that the bounds of the guard are those that calibration found");
  expect(opened.map(({ value, to, shape }) => `${value} [${shape}] to the ${to}`)).toEqual([
    "y [2,3] to the client",
    "guard [] to the client",
  ]);
});

/** The module with some ops changed, others after them, and their values. */
function edited(change: (op: Op) => readonly Op[], values: Readonly<Record<string, Value>> = {}): BuildFiles {
  const steps = module.steps.flatMap(({ ops }) => {
    const changed = ops.flatMap(change);
    return changed.length === ops.length ? [{ ops: changed }] : changed.map((op) => ({ ops: [op] }));
  });
  const made: Module = { ...module, steps, values: { ...module.values, ...values } };
  return withModule(files, made);
}
const at =
  (result: string, change: (op: Op) => readonly Op[]) =>
  (op: Op): readonly Op[] =>
    op.result === result ? change(op) : [op];

test("without a change the programs are those of the compiler", () => {
  expect(codesOf(edited((op) => [op]))).toEqual([]);
});

/** Other thresholds of the first range check. */
function threshold(bounds: Readonly<Record<string, number>>): BuildFiles {
  return edited(at(firstCheck().result, (op) => [{ ...op, attrs: { ...op.attrs, ...bounds } }]));
}
function withoutRange(): BuildFiles {
  const [id] = firstCheck().operands as [string];
  const { range: _, ...value } = module.values[id]!;
  return edited((op) => [op], { [id]: value });
}
function firstCheck(): Op {
  return module.steps.flatMap(({ ops }) => ops).find(({ name }) => name === "outside")!;
}

/** Another declared range of some values, which the first range check tests. */
function ranges(ids: readonly string[], range: readonly [number, number]): BuildFiles {
  const [lo, hi] = range;
  const values = ids.map((id) => [id, { ...module.values[id]!, range: { lo, hi } }] as const);
  return edited(
    at(firstCheck().result, (op) => [{ ...op, attrs: { ...op.attrs, lo, hi } }]),
    Object.fromEntries(values),
  );
}
const [tested] = firstCheck().operands as [string];
const wholeChain = [tested, "_0.Gemm.t", "_0.Gemm"];

test("numbers that only move keep their range, and every range fits its ring: others are found", () => {
  const found = (build: BuildFiles) =>
    checkFlow(build).findings.flatMap(({ code, message }) => (code === "MRL0907" ? [message] : []));
  expect(found(ranges([tested], [-0.3125, 0.3125]))).toEqual([`${tested} is _0.Gemm.t and has another range`]);
  const wide = found(ranges(wholeChain, [-(2 ** 20), 2 ** 20]));
  expect(wide).toContain(`${tested} has a range that its ring does not hold`);
  expect(found(ranges(wholeChain, [1, -1]))).toContain(`${tested} has a range that holds nothing`);
  expect(found(ranges(wholeChain, [-15, 15]))).toEqual([]);
  // Rings hold the first of these two, but not 2^headroom times it.
  expect(found(ranges(wholeChain, [-64, 64]))).toEqual([
    expect.stringMatching(/^_0\.Gemm\.t\.open has a range that its ring does not hold with the headroom/),
  ]);
});

const count = module.values["guard.count"]!;
/** A scalar that is no count of range checks, in the same ring. */
const spied: Readonly<Record<string, Value>> = {
  "spy.narrow": {
    ...module.values["y.shared.t"]!,
    type: { ...module.values["y.shared.t"]!.type, element: count.type.element },
  },
  spy: { ...count, range: count.range! },
};
const spying = (total: Op): readonly Op[] => [
  { name: "narrow", operands: ["y.shared.t"], result: "spy.narrow", attrs: { width: 8 }, origin: "" },
  { name: "reduce-sum", operands: ["spy.narrow"], result: "spy", attrs: { axes: [0, 1], keepdims: false }, origin: "" },
  { ...total, operands: [total.operands[0]!, "spy"] },
];

test.each<readonly [string, BuildFiles, string]>([
  [
    "the number of values beyond their bounds",
    edited(at("guard", (op) => [{ ...op, operands: ["guard.count"] }])),
    "MRL0916",
  ],
  [
    "whether more than five values are beyond",
    edited(at("guard.any", (op) => [{ ...op, attrs: { ...op.attrs, hi: 5 } }])),
    "MRL0916",
  ],
  // A client that chooses its inputs would find a hidden value by bisection.
  ["whether a value is above 0.3", threshold({ hi: 0.3125 }), "MRL0916"],
  ["whether a value is below 0", threshold({ lo: 0 }), "MRL0916"],
  ["whether a value is above a bound beyond its range", threshold({ hi: 200 }), "MRL0916"],
  [
    "a check of more headroom than promised",
    withManifest(files, (manifest) => ({ ...manifest, guard: { ...(manifest.guard as object), headroom: 4 } })),
    "MRL0916",
  ],
  [
    "a check of more elements than promised",
    withManifest(files, (manifest) => ({ ...manifest, guard: { ...(manifest.guard as object), elements: 1 } })),
    "MRL0916",
  ],
  [
    "a check of another layer than promised",
    withManifest(files, (manifest) => ({ ...manifest, guard: { ...(manifest.guard as object), layers: ["other"] } })),
    "MRL0916",
  ],
  ["a value without a declared range", withoutRange(), "MRL0901"],
  ["a function of the output", edited(at("guard.count", spying), spied), "MRL0916"],
  ["the bit, to the server", edited(at("guard", (op) => [{ ...op, attrs: { to: "server" } }])), "MRL0916"],
  ["the bit of a build that promises none", withManifest(files, ({ guard: _, ...rest }) => rest), "MRL0910"],
  [
    "an output that is called a guard",
    withManifest(files, (manifest) => ({
      ...manifest,
      guard: { ...(manifest.guard as object), value: "y" },
      reveals: [{ value: "guard", tensor: "guard", to: "client", shape: [] }],
    })),
    "MRL0916",
  ],
])("%s is not opened", (_, hostile, code) => {
  expect(codesOf(hostile)).toContain(code);
});

test.each([
  ['width: 2, scale: 0, lo: 0, hi: 1, to: "client"', "opens 2 bits to the client"],
  ['width: 1, scale: 1, lo: 0, hi: 1, to: "client"', "opens 1 bits to the client"],
  ['width: 1, scale: 0, lo: 0, hi: 1, to: "server"', "opens 1 bits to the server"],
])("a bit that is declared as %s is none", (declared, message) => {
  const wide = inFiles(files, programPaths, (text) =>
    text.replace(
      'guard: { shape: [], width: 1, scale: 0, lo: 0, hi: 1, to: "client"',
      `guard: { shape: [], ${declared}`,
    ),
  );
  expect(checkFlow(wide).findings.map((each) => each.message)).toContainEqual(expect.stringContaining(message));
});

test("a second bit is not opened beside the first", () => {
  const second = { ...module.values.guard!, type: { ...module.values.guard!.type, shape: [2, 3] } };
  const ops = module.steps.flatMap((step) => step.ops);
  const reveal: Op = {
    ...ops.find(({ result }) => result === "guard")!,
    operands: [ops.find(({ name }) => name === "outside")!.result],
    result: "guard2",
  };
  const made = { ...module, values: { ...module.values, guard2: second }, outputs: [...module.outputs, "guard2"] };
  const hostile = withModule(files, { ...made, steps: [...made.steps, { ops: [reveal] }] });
  expect(codesOf(hostile)).toContain("MRL0910");
});
