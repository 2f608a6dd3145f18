import { expect, test } from "vitest";
import { attachAdapter } from "../../compiler/adapters/attach-adapter.ts";
import { decodeModel } from "../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../compiler/onnx/import/import-model.ts";
import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import { tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { select } from "../../passes/5-select/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import { q, readAdapterWith } from "../compiler/adapters/peft-adapters.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { codesOf } from "../passes/models.ts";

/* Codes that no command line raises, as an earlier stage refuses what they describe: each is raised at its own door. */

const selected = (...lines: readonly string[]) => {
  const module = parse(["module m stage quantize {", ...lines, "}"].join("\n"));
  return () => select({ module, weights: new Map() } as unknown as SplitState, { setting: "2pc-dealer" });
};

test.each([
  ["pow", ["MRL0520"]],
  ["maximum", []],
])("MRL0520: the protocols of two parties and %s of two secrets", (operator, codes) => {
  const program = selected(
    "input %x : client f32[2] in [-1, 1]",
    "%a = share %x : shared fx16.10[2] in [-1, 1]",
    `%m = ${operator} %a, %a : shared fx16.10[2] in [-1, 1]`,
    '%r = reveal %m { to = "client" } : client fx16.10[2] in [-1, 1]',
    "output %r",
  );
  expect(codesOf(program)).toEqual(codes);
});

test.each([
  ["fx16.12", ["MRL0521"]],
  ["fx16.10", []],
])("MRL0521: a protocol compares a value of fx16.10 with one of %s", (other, codes) => {
  const program = selected(
    "input %x : client f32[2] in [-1, 1]",
    "input %y : client f32[2] in [-1, 1]",
    "%a = share %x : shared fx16.10[2] in [-1, 1]",
    `%b = share %y : shared ${other}[2] in [-1, 1]`,
    "%m = maximum %a, %b : shared fx16.10[2] in [-1, 1]",
    '%r = reveal %m { to = "client" } : client fx16.10[2] in [-1, 1]',
    "output %r",
  );
  expect(codesOf(program)).toEqual(codes);
});

test.each([
  ["1e20", ["MRL0522", "MRL0522"]],
  ["1e6", []],
])("MRL0522: a value up to %s at scale 10, in rings of 64 bits", (bound, codes) => {
  const program = selected(
    `input %x : client f32[2] in [-${bound}, ${bound}]`,
    `%a = share %x : shared fx64.10[2] in [-${bound}, ${bound}]`,
    `%r = reveal %a { to = "client" } : client fx64.10[2] in [-${bound}, ${bound}]`,
    "output %r",
  );
  expect(codesOf(program)).toEqual(codes);
});

test("MRL0521: e^x of operands that reach 20 names a bound that works", () => {
  const power = (hi: number) =>
    selected(
      `input %x : client f32[2] in [-1, ${hi}]`,
      `%a = share %x : shared fx32.10[2] in [-1, ${hi}]`,
      `%e = exp %a : shared fx60.10[2] in [0, ${Math.exp(hi)}]`,
      `%r = reveal %e { to = "client" } : client fx60.10[2] in [0, ${Math.exp(hi)}]`,
      "output %r",
    );
  const refused = (() => {
    try {
      return power(20)();
    } catch (error) {
      return error;
    }
  })();
  expect(refused).toBeInstanceOf(DiagnosticError);
  const [{ code, help }] = (refused as DiagnosticError).diagnostics as readonly [Diagnostic];
  expect([code, help]).toEqual(["MRL0521", expect.stringMatching(/Clip\(x, max=8\) before this node/)]);
  expect(codesOf(power(8))).toEqual([]);
});

test("MRL0427: the linear layer that the adapter names is no longer in the module", () => {
  const weight = `${q}.weight`;
  const bytes = modelBytes({
    name: "linear",
    initializer: [floatTensor(weight, [3, 4], new Array(12).fill(0.5))],
    input: [floatInfo("x", 2, 3)],
    output: [floatInfo("y", 2, 4)],
    node: [node("MatMul", ["x", weight], ["y"], `/${q.replaceAll(".", "/")}/MatMul`)],
  });
  const imported = importModel(decodeModel(bytes, "linear.onnx"));
  const adapter = readAdapterWith();
  expect(codesOf(() => attachAdapter(imported, adapter))).toEqual([]);
  const without = { ...imported, module: { ...imported.module, steps: [{ ops: [] }] } };
  expect(codesOf(() => attachAdapter(without, adapter))).toEqual(["MRL0427"]);
});

test("MRL0408: what a lowering did not anticipate is told of the node, and is no crash", () => {
  const bytes = modelBytes({
    name: "turned",
    input: [floatInfo("x", 2, 3)],
    output: [floatInfo("y", 3, 2)],
    node: [{ ...node("Transpose", ["x"], ["y"], "/Transpose"), attribute: [{ name: "perm", type: 7, ints: [1, 0] }] }],
  });
  const model = decodeModel(bytes, "turned.onnx");
  expect(codesOf(() => importModel(model))).toEqual([]);
  const faulty = {
    kind: "ints" as const,
    get value(): never {
      throw new TypeError("a fault of the lowering");
    },
  };
  const attributes = new Map([["perm", faulty]]);
  const nodes = model.graph.nodes.map((each) => ({ ...each, attributes }));
  expect(codesOf(() => importModel({ ...model, graph: { ...model.graph, nodes } }))).toEqual(["MRL0408"]);
});

test.each([
  [
    "multiplied with each other",
    ["%ab = matmul %a, %b : server f32[2, 2]", "%y = matmul %s, %ab : shared f32[2, 2]"],
    ["MRL0503", "MRL0502"],
  ],
  ["one after the other", ["%sa = matmul %s, %a : shared f32[2, 2]", "%y = matmul %sa, %b : shared f32[2, 2]"], []],
])("MRL0503: two private weights, %s", (_, products, codes) => {
  const lines = [
    "module m stage rewrite {",
    "input %x : client f32[2, 2]",
    'param %a : server f32[2, 2] = "a"',
    'param %b : server f32[2, 2] = "b"',
    "%s = share %x : shared f32[2, 2]",
    ...products,
    '%r = reveal %y { to = "client" } : client f32[2, 2]',
    "output %r }",
  ];
  const square = tensor([2, 2], [0.5, -1, 1, 0.25]);
  const weights = new Map(["a", "b"].map((name) => [name, square]));
  const state = { module: parse(lines.join("\n")), weights, client: { cuts: new Map() } } as unknown as SplitState;
  const calibration = calibrate(state, [new Map([["x", square]])]);
  expect(codesOf(() => quantize(state, { calibration }))).toEqual(codes);
});
