import { expect, test } from "vitest";
import { createBuilder } from "../../ir/builder.ts";
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
import { computeByParties, protocolsOf } from "./run-module.ts";

const [lo, hi] = [0.5, 6];

/** x^exponent on 40 secret numbers in [lo, hi], after 1-split. */
function power(exponent: number): SplitState {
  const builder = createBuilder("power", "split");
  const x = builder.input("x", { label: "client", element: f32, shape: [40] }, { lo, hi });
  const c = builder.param("c", { label: "public", element: f32, shape: [] }, "exponent");
  const y = builder.op("pow", [builder.op("share", [x], {}, { result: "secret" }), c], {}, { result: "y" });
  builder.output(builder.op("reveal", [y], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return {
    module: builder.finish(),
    weights: new Map([["exponent", tensor([], [exponent])]]),
    client,
    sources: new Map(),
  };
}

test.each([
  [1.7, ["range-reduced.log", "separable.exp"]],
  [-0.3, ["range-reduced.log", "separable.exp"]],
  [5, ["masked.mul"]],
  [-2, ["range-reduced.reciprocal"]],
  [0.5, ["range-reduced.rsqrt"]],
])("three parties raise secrets to the power of %d", async (exponent, protocols) => {
  const rewritten = rewrite(power(exponent));
  const x = evenGrid([40], lo, hi);
  const calibration = calibrate(rewritten, [new Map([["x", x]])], { margin: 1, precision: defaultPrecision });
  const quantized = quantize(rewritten, { calibration, precision: defaultPrecision, truncation: "fast" });
  const scheduled = runPass(schedulePass, select(quantized, { setting: "2pc-dealer" }));
  expect(protocolsOf(scheduled)).toEqual(expect.arrayContaining(protocols));
  const { data } = await computeByParties("2pc-dealer", scheduled, new Map([["x", x]]));
  const wanted = x.data.map((v) => v ** exponent);
  const most = Math.max(...wanted);
  data.forEach((found, k) => {
    expect(Math.abs(found - wanted[k]!) / most).toBeLessThan(3e-3);
  });
});
