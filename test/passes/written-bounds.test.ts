import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { Module, Op } from "../../ir/module.ts";
import { f32 } from "../../ir/type.ts";
import { approximate, presets } from "../../passes/3-approximate/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { evenGrid, singleOpModule } from "../../scripts/tables/single-op-module.ts";
import { checkedWith } from "./checked-calibration.ts";

const inputs = (lo: number, hi: number) => new Map([["x", evenGrid([50], lo, hi)]]);

test("a small value inside a formula may be smaller with the private weights", () => {
  const state = approximate(singleOpModule("exp", [50]), presets.get("crypten")!);
  // The last square is 2^-11 at −8, and 2^-14 at −10.
  const calibration = calibrate(state, [inputs(-6, -5)], { expanded: true });
  expect(checkedWith(state, [inputs(-10, -9)], calibration)).toEqual([]);
});

test.each([
  ["reciprocal", ["MRL0505"]],
  ["abs", []],
])("the lower end of a positive value counts where %s reads it", (reader, codes) => {
  const values = {
    x: { type: { label: "shared", element: f32, shape: [50] } },
    y: { type: { label: "shared", element: f32, shape: [50] } },
    z: { type: { label: "shared", element: f32, shape: [50] } },
  } as const;
  const op = (name: string, operand: string, result: string): Op => ({
    ...{ name, operands: [operand], result, attrs: {}, origin: "" },
  });
  const ops = [op("sigmoid", "x", "y"), op(reader, "y", "z")];
  const module: Module = {
    ...{ name: "m", stage: "rewrite", inputs: ["x"], params: {}, outputs: ["z"], values, steps: [{ ops }] },
  };
  const state = { module, weights: new Map() };
  const found = checkedWith(state, [inputs(-40, -30)], calibrate(state, [inputs(-1, 1)], { margin: 60 }));
  expect([...new Set(found.map(({ code }) => code))]).toEqual(codes);
});

test("values of a formula that leave their bounds are reported", () => {
  const state = approximate(singleOpModule("silu", [50]), presets.get("crypten")!);
  const calibration = calibrate(state, [inputs(-2, 2)], { expanded: true });
  expect(checkedWith(state, [inputs(-60, 60)], calibration)).toEqual([]);
  expect(checkedWith(state, [inputs(-600, 600)], calibration)).not.toEqual([]);
});

test.each(["puma", "bumblebee"])("%s: no power grows where the exponential is set to 0", (name) => {
  const { module, weights } = approximate(singleOpModule("exp", [50]), presets.get(name)!);
  let most = 0;
  interpret(module, weights, inputs(-200, 0), {
    observe: (_, { data }) => {
      most = Math.max(most, ...data.map(Math.abs));
    },
  });
  expect(most).toBe(200);
});
