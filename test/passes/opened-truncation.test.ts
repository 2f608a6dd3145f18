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

/** The client's [8, 8] times a private [8, 8], then a reshape, opened to the client. */
function product(): SplitState {
  const builder = createBuilder("product", "split");
  const x = builder.input("x", { label: "client", element: f32, shape: [8, 8] }, { lo: -1, hi: 1 });
  const w = builder.param("w", { label: "server", element: f32, shape: [8, 8] }, "w");
  const y = builder.op("matmul", [builder.op("share", [x], {}, { result: "secret" }), w], {}, { result: "y" });
  const flat = builder.op("reshape", [y], { shape: [64] }, { result: "flat" });
  builder.output(builder.op("reveal", [flat], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map([["w", weight]]), client, sources: new Map() };
}
const weight = tensor(
  [8, 8],
  Float64Array.from({ length: 64 }, (_, k) => Math.sin(k * 1.7)),
);

test("what is opened was truncated faithfully: a repeated question has one answer, and the dropped bits stay hidden", async () => {
  const x = evenGrid([8, 8], -1, 1);
  const state = rewrite(product());
  const calibration = calibrate(state, [new Map([["x", x]])], { margin: 1, precision: defaultPrecision });
  const quantized = quantize(state, { calibration, precision: defaultPrecision, truncation: "fast" });
  const scheduled = runPass(schedulePass, select(quantized, { setting: "2pc-dealer" }));
  const truncations = opsOf(scheduled.module).filter(({ name }) => name === "truncate");
  expect(truncations.map(({ protocol }) => protocol)).toEqual(["faithful.truncate"]);
  // With local truncation each of the 64 answers is a coin between two neighbours.
  const ask = async () => (await computeByParties("2pc-dealer", scheduled, new Map([["x", x]]))).data;
  const first = await ask();
  for (let again = 0; again < 8; again++) expect(await ask()).toEqual(first);
});

test("a preset of another system keeps the truncations that its authors built", () => {
  const state = rewrite(product());
  const x = evenGrid([8, 8], -1, 1);
  const calibration = calibrate(state, [new Map([["x", x]])], { margin: 1, precision: defaultPrecision });
  const quantized = quantize(state, { calibration, precision: defaultPrecision, truncation: "fast" });
  const measured = select(quantized, { setting: "2pc-dealer", families: ["crypten", "marill"], ring: 64 });
  expect(opsOf(measured.module).some(({ protocol }) => protocol === "faithful.truncate")).toBe(false);
});
