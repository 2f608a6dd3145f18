import { expect, test } from "vitest";
import { createBuilder } from "../../ir/builder.ts";
import { opsOf } from "../../ir/module.ts";
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

/** The client's [8, 8] times a private [8, 8], a norm or none, then a reshape, opened to the client. */
function product(norm = false): SplitState {
  const builder = createBuilder("product", "split");
  const x = builder.input("x", { label: "client", element: f32, shape: [8, 8] }, { lo: -1, hi: 1 });
  const w = builder.param("w", { label: "server", element: f32, shape: [8, 8] }, "w");
  const y = builder.op("matmul", [builder.op("share", [x], {}, { result: "secret" }), w], {}, { result: "y" });
  const last = norm ? builder.op("rms-norm", [y], { epsilon: 1e-5 }, { result: "normed" }) : y;
  const flat = builder.op("reshape", [last], { shape: [64] }, { result: "flat" });
  builder.output(builder.op("reveal", [flat], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map([["w", weight]]), client, sources: new Map() };
}
const weight = tensor(
  [8, 8],
  Float64Array.from({ length: 64 }, (_, k) => Math.sin(k * 1.7)),
);

const x = evenGrid([8, 8], -1, 1);
function quantized(state: SplitState, truncation: "fast" | "exact", preset = false): SplitState {
  const calibration = calibrate(state, [new Map([["x", x]])], { margin: 1, precision: defaultPrecision });
  return quantize(state, { calibration, precision: defaultPrecision, truncation, preset });
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

test("a norm that is opened keeps eight bits more, which a faithful truncation drops: few roundings are its own", async () => {
  const options = { setting: "2pc-dealer", truncation: "exact" } as const;
  const scheduled = runPass(schedulePass, select(quantized(rewrite(product(true)), "exact"), options));
  const last = opsOf(scheduled.module).findLast(({ name }) => name === "truncate");
  expect(last).toMatchObject({ protocol: "faithful.truncate", attrs: { by: 8 } });
  const ask = async () => (await computeByParties("2pc-dealer", scheduled, new Map([["x", x]]))).data;
  const first = await ask();
  let others = 0;
  for (let again = 0; again < 8; again++)
    for (const [k, value] of (await ask()).entries()) others += Number(value !== first[k]);
  // Measured: 6 of 512, and 226 without the eight bits.
  expect(others).toBeLessThan(40);
});

test("a preset of another system keeps the truncations and the norm that its authors built", () => {
  const measured = select(quantized(rewrite(product()), "fast", true), {
    ...{ setting: "2pc-dealer", families: ["crypten", "marill"], ring: 64 },
  });
  expect(opsOf(measured.module).some(({ protocol }) => protocol === "faithful.truncate")).toBe(false);
  const own = (preset: boolean) =>
    opsOf(quantized(rewrite(product(true)), "fast", preset).module).filter(({ attrs }) => attrs.by === 8);
  expect([own(false).length, own(true).length]).toEqual([1, 0]);
});
