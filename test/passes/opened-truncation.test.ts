import { expect, test } from "vitest";
import { createBuilder } from "../../ir/builder.ts";
import { type Attrs, opsOf, type ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { f32 } from "../../ir/type.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import { select } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { evenGrid } from "../../scripts/tables/single-op-module.ts";
import { computeByParties } from "./run-module.ts";

type Last = "relu" | "rms-norm" | "sigmoid" | "square";

/** The client's [8, 8] times a private [8, 8], another operator or none, then a reshape, opened to the client. */
function product(operator?: Last): SplitState {
  const builder = createBuilder("product", "split");
  const x = builder.input("x", { label: "client", element: f32, shape: [8, 8] }, { lo: -1, hi: 1 });
  const w = builder.param("w", { label: "server", element: f32, shape: [8, 8] }, "w");
  const y = builder.op("matmul", [builder.op("share", [x], {}, { result: "secret" }), w], {}, { result: "y" });
  const last = operator ? builder.op(...lastOf[operator](y), { result: "last" }) : y;
  const flat = builder.op("reshape", [last], { shape: [64] }, { result: "flat" });
  builder.output(builder.op("reveal", [flat], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map([["w", weight]]), client, sources: new Map() };
}
const lastOf: Readonly<Record<Last, (y: ValueId) => readonly [string, readonly ValueId[], Attrs]>> = {
  relu: (y) => ["relu", [y], {}],
  "rms-norm": (y) => ["rms-norm", [y], { epsilon: 1e-5 }],
  sigmoid: (y) => ["sigmoid", [y], {}],
  square: (y) => ["mul", [y, y], {}],
};
const weight = tensor(
  [8, 8],
  Float64Array.from({ length: 64 }, (_, k) => Math.sin(k * 1.7)),
);

const x = evenGrid([8, 8], -1, 1);
function quantized(state: SplitState, truncation: "fast" | "exact", keepsRoundings = false): SplitState {
  const calibration = calibrate(state, [new Map([["x", x]])], { margin: 1, precision: defaultPrecision });
  return quantize(state, { calibration, precision: defaultPrecision, truncation, keepsRoundings });
}

test("what is opened was truncated faithfully: a repeated question has one answer, and the dropped bits stay hidden", async () => {
  const state = quantized(rewrite(product()), "fast");
  const scheduled = runPass(schedulePass, select(state, { setting: "2pc-dealer" }));
  const truncations = opsOf(scheduled.module).filter(({ name }) => name === "truncate");
  expect(truncations.map(({ protocol }) => protocol)).toEqual(["faithful.truncate"]);
  // With local truncation each of the 64 answers is a coin between two neighbours.
  const ask = async () => (await computeByParties("2pc-dealer", scheduled, new Map([["x", x]]))).data;
  const first = await ask();
  for (let again = 0; again < 8; again++) expect(await ask()).toEqual(first);
});

function scheduledWith(operator: Last, truncation: "fast" | "exact"): SplitState {
  const options = { setting: "2pc-dealer", truncation } as const;
  return runPass(schedulePass, select(quantized(rewrite(product(operator)), truncation), options));
}
const truncationsOf = ({ module }: SplitState) => opsOf(module).filter(({ name }) => name === "truncate");
/** How many of the 64 answers differ from those of the first time, each of four times that it is asked again. */
async function othersOf(state: SplitState): Promise<number> {
  const ask = async () => (await computeByParties("2pc-dealer", state, new Map([["x", x]]))).data;
  const first = await ask();
  let others = 0;
  for (let again = 0; again < 4; again++)
    for (const [k, value] of (await ask()).entries()) others += Number(value !== first[k]);
  return others;
}

test("what only selects values is no rounding: the truncation before it is the last one", async () => {
  const state = scheduledWith("relu", "fast");
  expect(truncationsOf(state).map(({ protocol }) => protocol)).toEqual(["faithful.truncate"]);
  expect(await othersOf(state)).toBe(0);
});

test.each([
  "rms-norm",
  "sigmoid",
  "square",
] as const)("%s rounds inside: opened, it keeps eight bits more, which a faithful truncation drops", (operator) => {
  expect(truncationsOf(scheduledWith(operator, "fast")).at(-1)).toMatchObject({
    protocol: "faithful.truncate",
    attrs: { by: 8 },
  });
});

test("few roundings of an opened norm are its own", async () => {
  // Measured: 3 of 256, and 113 without the eight bits.
  expect(await othersOf(scheduledWith("rms-norm", "exact"))).toBeLessThan(24);
});

test("a preset of another system keeps the truncations and the norm that its authors built", () => {
  const measured = select(quantized(rewrite(product()), "fast", true), {
    ...{ setting: "2pc-dealer", families: ["crypten", "marill"], ring: 64 },
  });
  expect(opsOf(measured.module).some(({ protocol }) => protocol === "faithful.truncate")).toBe(false);
  const own = (keeps: boolean) =>
    opsOf(quantized(rewrite(product("rms-norm")), "fast", keeps).module).filter(({ attrs }) => attrs.by === 8);
  expect([own(false).length, own(true).length]).toEqual([1, 0]);
});
