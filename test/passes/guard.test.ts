import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveModelOptions } from "../../compiler/api/model-options.ts";
import { compileModel } from "../../compiler/compile/compile.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import { verify } from "../../ir/verify.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { reals } from "../harness/execute-protocol.ts";

/** A sum that may wrap on the way, a ReLU that cannot leave its bounds while its operand is within, and a product. */
const quantized = parse(
  `module small stage quantize {
  input %x : client f32[4] in [-4, 4]
  input %z : client f32[4] in [-4, 4]
  %a = share %x : shared fx18.12[4] in [-4, 4] at "/a"
  %b = share %z : shared fx18.12[4] in [-4, 4] at "/b"
  %between = add %a, %b : shared fx18.12[4] in [-2, 2] at "/between"
  %sum = sub %between, %b : shared fx18.12[4] in [-3, 3] at "/sum"
  %relu = relu %sum : shared fx18.12[4] in [0, 3] at "/relu"
  %square = mul %relu, %relu : shared fx32.24[4] in [0, 9] at "/square"
  %small = truncate %square { by = 12 } : shared fx20.12[4] in [0, 5] at "/small"
  %y = reveal %small { to = "client" } : client f32[4] in [0, 5] at "/y"
  output %y
}`,
  { file: "small.mir" },
);
const state: SplitState = {
  module: quantized,
  weights: new Map(),
  client: { inputs: [], cuts: [], outputs: [], tails: [] },
  sources: new Map(),
};
const selected = (layers?: readonly string[]): SplitState =>
  runPass(selectPass({ setting: "2pc-dealer", ...(layers && { guard: { layers, headroom: 8 } }) }), state);
const checks = ({ module }: SplitState): readonly string[] =>
  opsOf(module).flatMap(({ name, result }) => (name === "outside" ? [result.replace(/\.short$/, "")] : []));

test("what a protocol opens or the client learns is guarded, unless a proof keeps it within its bounds", () => {
  const guarded = selected(["all"]);
  // Not the sum between, which may wrap and come back, nor what the client has checked, nor the ReLU.
  expect(checks(guarded)).toEqual(["sum.outside", "small.outside", "guard.any"]);
  expect(guarded.guard).toEqual({ value: "guard", headroom: 8, elements: 8, layers: ["/sum", "/small"] });
  expect(verify(guarded.module)).toEqual([]);
  expect(selected().guard).toBeUndefined();
});

test("a guarded value is opened once, in a ring that is wider by the headroom", () => {
  const ring = ({ module }: SplitState, id: string): number => {
    const { element } = module.values[id]!.type;
    return element.kind === "fx" ? element.width : 0;
  };
  const [bare, guarded] = [selected(), selected(["all"])];
  expect(ring(guarded, "sum.open")).toBe(ring(bare, "sum.open") + 8);
  expect(opsOf(guarded.module).filter(({ name, operands }) => name === "open" && operands[0] === "sum")).toHaveLength(
    1,
  );
});

test("the guard trusts no operand of an inverse root that lies below the binade of its lower end", () => {
  const module = parse(
    `module root stage quantize {
  input %x : client f32[4] in [-8, 8]
  %a = share %x : shared fx18.12[4] in [-8, 8] at "/a"
  %square = mul %a, %a : shared fx32.24[4] in [0.125, 64] at "/square"
  %root = rsqrt %square : shared fx18.12[4] in [0.125, 2.828427] at "/root"
  %y = reveal %root { to = "client" } : client f32[4] in [0.125, 2.828427] at "/y"
  output %y
}`,
    { file: "root.mir" },
  );
  const guard = { layers: ["all"], headroom: 8 };
  const guarded = runPass(selectPass({ setting: "2pc-dealer", guard }), { ...state, module });
  const check = opsOf(guarded.module).find(({ name, operands }) => name === "outside" && /^square/.test(operands[0]!))!;
  expect(check.attrs.lo).toBeGreaterThan(0.125 * 0.98);
  expect(check.attrs.hi).toBeGreaterThan(64);
  // The series of 1/√m continues a few hundredths below its binade.
  expect(check.attrs.lo).toBeLessThan(0.125);
});

test("names choose layers", () => {
  expect(checks(selected(["/s?", "/su*"].slice(1)))).toEqual(["sum.outside", "guard.any"]);
  expect(checks(selected(["%small"]))).toEqual(["small.outside", "guard.any"]);
  expect(() => selected(["/relu"])).toThrow(/MRL0657.*\/relu/);
});

test("the bit is set exactly if a guarded value is beyond its bounds, whatever the others are", () => {
  const { module } = selected(["all"]);
  let set = 0;
  for (let trial = 0; trial < 200; trial++) {
    const most = [1.5, 2.1, 2.9, 4][trial % 4]!;
    const [x, z] = [reals(4, -most, most, trial), reals(4, -4, 4, 1000 + trial)];
    const inputs = new Map([
      ["x", tensor([4], x)],
      ["z", tensor([4], z)],
    ]);
    const bit = interpret(wide(module), new Map(), inputs).get("guard")!.data[0]!;
    // Bounds of the sum are ±3 and of the truncated square 5, with what rounding may add.
    const beyond = [...x].some((value) => Math.abs(value) > 3.0479 || Math.max(0, value) ** 2 > 5.08);
    expect(bit).toBe(Number(beyond));
    set += bit;
  }
  expect(set).toBeGreaterThan(20);
  expect(set).toBeLessThan(180);
});

/** The same module in rings that nothing wraps in: the interpreter stops where a value leaves its ring. */
const wide = (module: Module): Module => ({
  ...module,
  values: Object.fromEntries(
    Object.entries(module.values).map(([id, value]) => {
      const { element } = value.type;
      const grown = element.kind === "fx" && element.width > 1 ? { ...element, width: 50 } : element;
      return [id, { ...value, type: { ...value.type, element: grown } }];
    }),
  ),
});

test("the checks of the small network of a report are those of its two layers", () => {
  const fixture = join(import.meta.dirname, "../../fixtures/cases/input-beyond-range");
  const model = join(fixture, "model.onnx");
  const { stages } = compileModel(
    resolveModelOptions({
      model,
      base: model,
      private: ["*"],
      reveal: { y: "client" },
      calibrate: join(fixture, "calib"),
      guard: ["all"],
    }),
  );
  const outside = opsOf(stages.get("select")!).filter(({ name }) => name === "outside");
  expect(outside.map(({ origin }) => origin)).toEqual(["/0/Gemm", "/2/Gemm", ""]);
});
