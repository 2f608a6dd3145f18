import { expect, it } from "vitest";
import { drawSamples } from "../../../compiler/compile/draw-samples.ts";
import type { Module } from "../../../ir/module.ts";
import { bool, f32, i64, type PlainElement } from "../../../ir/type.ts";

/** A module with inputs of these elements and shape [3, 4]. */
function withInputs(elements: Readonly<Record<string, PlainElement>>): Module {
  const value = (element: PlainElement) => ({ type: { label: "client" as const, element, shape: [3, 4] } });
  const values = Object.fromEntries(Object.entries(elements).map(([id, element]) => [id, value(element)]));
  return { name: "m", stage: "rewrite", inputs: Object.keys(elements), params: {}, steps: [], outputs: [], values };
}

const cut = (value: string, more = {}) => ({ value, source: value, ...more });

it("draws reals, integers and masks within their bounds, booleans, indices and one-hot rows by what they are", () => {
  const module = withInputs({ x: f32, count: i64, mask: f32, flag: bool, index: i64, row: f32 });
  const cuts = [cut("mask", { least: -8 }), cut("index", { rows: 5 }), cut("row", { oneHot: 4 })];
  const bounds = new Map([
    ["x", { lo: -2, hi: 3 }],
    ["count", { lo: 0, hi: 9 }],
    ["mask", { lo: -1e9, hi: 0 }],
  ]);
  const runs = drawSamples(module, cuts, bounds)!;
  expect(runs).toHaveLength(8);
  const all = (id: string): readonly number[] => runs.flatMap((run) => [...run.get(id)!.data]);
  const within = (id: string, lo: number, hi: number) => all(id).every((value) => value >= lo && value <= hi);
  expect([within("x", -2, 3), within("count", 0, 9), within("mask", -8, 0), within("index", 0, 4)]).toEqual([
    ...[true, true, true, true],
  ]);
  expect(Math.max(...all("x")) - Math.min(...all("x"))).toBeGreaterThan(4);
  expect([...all("count"), ...all("index")].every(Number.isInteger)).toBe(true);
  expect(new Set(all("flag"))).toEqual(new Set([0, 1]));
  for (const run of runs) {
    const rows = [0, 4, 8].map((at) => [...run.get("row")!.data.subarray(at, at + 4)].sort());
    expect(rows).toEqual(Array(3).fill([0, 0, 0, 1]));
  }
});

it("draws the same each time, and nothing where an input has no bounds", () => {
  const module = withInputs({ x: f32 });
  const bounds = new Map([["x", { lo: -1, hi: 1 }]]);
  expect(drawSamples(module, [], bounds)).toEqual(drawSamples(module, [], bounds));
  expect(drawSamples(module, [], new Map())).toBeUndefined();
});
