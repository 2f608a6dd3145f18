import { describe, expect, it } from "vitest";
import { opsOf } from "../../../ir/module.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { agreesWithRuntime, type Case, type In, imported, of } from "./one-node.ts";

/** Shared indices. */
const places = (shape: readonly number[], ...values: number[]): In => ({ shape, values, dtype: "int64" });

const cases: readonly Case[] = [
  { op: "Gather", inputs: [of(4, 3), places([2], 3, -4)] },
  { op: "Gather", inputs: [of(2, 5, 3), places([2, 2], 4, 0, -1, 2)], attrs: { axis: 1 } },
  { op: "Gather", inputs: [of(2, 3), places([], 1)], attrs: { axis: 1 } },
  { op: "GatherND", inputs: [of(4, 3, 2), places([3, 1], 1, 3, 0)] },
  { op: "GatherElements", inputs: [of(3, 4), places([3, 2], 0, 3, -1, 1, 2, 2)], attrs: { axis: 1 } },
  { op: "GatherElements", inputs: [of(2, 3, 2), places([2, 1, 2], 0, 2, 1, -3)], attrs: { axis: 1 } },
  { op: "ScatterElements", inputs: [of(2, 4), places([2, 2], 0, 3, -1, 1), of(2, 2)], attrs: { axis: 1 } },
  { op: "ScatterElements", inputs: [of(3, 2), places([1, 2], 2, 0), of(1, 2)] },
];
describe("on shares", () => agreesWithRuntime(cases.map((each) => ({ ...each, shared: true }))));
describe("of the client's", () => agreesWithRuntime(cases.filter(({ op }) => op === "ScatterElements")));

it("never looks up a secret index", () => {
  for (const each of cases) {
    const selected = opsOf(imported({ ...each, shared: true }).module).map(({ name }) => name);
    expect(selected.filter((name) => name.startsWith("gather") || name.startsWith("scatter"))).toEqual([]);
  }
});

it("refuses secret indices along a part of the other axes, and with several coordinates", () => {
  const code = (each: Case) => codesOf(() => imported({ ...each, shared: true }));
  expect(code({ op: "GatherElements", inputs: [of(3, 4), places([2, 2], 0, 1, 2, 3)], attrs: { axis: 1 } })).toEqual([
    "MRL0404",
  ]);
  expect(code({ op: "GatherND", inputs: [of(3, 4), places([1, 2], 0, 1)] })).toEqual(["MRL0404"]);
});

it("compares a secret value with 0 to make a condition of it", () => {
  const made = imported({ op: "Cast", inputs: [of(3)], attrs: { to: 9 }, shared: true });
  expect(opsOf(made.module).map(({ name }) => name)).toEqual(["compare", "not"]);
});
