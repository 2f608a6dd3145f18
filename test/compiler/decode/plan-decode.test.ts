import { describe, expect, it } from "vitest";
import { type PrefillProgram, planDecode } from "../../../compiler/decode/plan-decode.ts";
import { resolveOptions } from "../../../compiler/load/resolve-options.ts";
import type { ImportedModel } from "../../../compiler/onnx/import/import-model.ts";
import { typeOf } from "../../../ir/module.ts";
import { calibrate } from "../../../passes/4-quantize/calibrate.ts";
import { withCachedRanges } from "../../../passes/4-quantize/calibration-types.ts";
import { quantizePass } from "../../../passes/4-quantize/index.ts";
import { selectPass } from "../../../passes/5-select/index.ts";
import { schedulePass } from "../../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../../passes/pass.ts";
import { predict } from "../../../runtime/session/predict.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { decoder, length, secure, width } from "../../passes/decoder-model.ts";
import { createNoise, model } from "../../passes/models.ts";
import { codesOf } from "../onnx/format/build-model.ts";

/* Programs for some positions beside that of the window: all of them must keep the same. */
const state = secure(decoder());
const calibration = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])], { margin: 1.5 });
const finish = (from: SplitState, kept?: Parameters<typeof withCachedRanges>[1], known = calibration): SplitState =>
  [selectPass({ setting: "2pc-dealer" }), schedulePass].reduce(
    (current, pass) => runPass(pass, current),
    runPass(quantizePass({ calibration: kept ? withCachedRanges(known, kept) : known }), from),
  );
const text = model((kit) => [kit.ids("ids", [1, length])]);
const imported = { inputs: new Map([["ids", "ids"]]), module: text.module } as unknown as ImportedModel;
const { module } = finish(state);
const made = (buckets: readonly number[], more: Partial<PrefillProgram> = {}) =>
  planDecode({ imported, state, module, setting: "2pc-dealer", buckets, schedule: finish, ...more });

describe("programs of shorter windows", () => {
  it("keep what the window keeps, in its rings, and cost less the shorter they are", () => {
    const found = made([2, 4]);
    if (!found || "code" in found) throw new Error("there are programs");
    const { plan, next } = found;
    expect(next.buckets.map(({ positions }) => positions)).toEqual([2, 4]);
    const rings = ({ cached: kept }: typeof plan) =>
      Object.entries(kept).map(([name, { width: n, scale }]) => [name, n, scale]);
    for (const each of next.buckets) {
      expect(rings(each.plan)).toEqual(rings(next.plan));
      expect(rings(each.plan).sort()).toEqual(rings(plan).sort());
      expect(Object.values(each.plan.outputs).map(({ shape }) => shape)).toEqual([[1, each.positions, 5]]);
    }
    const sent = [...next.buckets.map((each) => each.plan), plan].map(
      (each) => predict(programFromPlan(each, "")).online.bytes["client→server"],
    );
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    expect(new Set(sent).size).toBe(3);
  });

  it.each([[[1]], [[length]], [[2, 9]]])("are refused when the window does not allow %j positions", (buckets) => {
    expect(codesOf(() => made(buckets))).toEqual(["MRL0309"]);
  });

  it("are refused for a model without a text input, and for presets", () => {
    const none = { ...imported, inputs: new Map() };
    expect(made([], { imported: none })).toBeUndefined();
    expect(codesOf(() => made([2], { imported: none }))).toEqual(["MRL0309"]);
    const { problems } = resolveOptions({
      model: "model.onnx",
      target: { preset: "sigma" },
      interface: { buckets: [2] },
    });
    expect(problems.map(({ code }) => code)).toEqual(["MRL0656"]);
  });

  it("are refused when their cached values are in another ring", () => {
    const wide = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])], { margin: 4 });
    const wider: PrefillProgram["schedule"] = (from, kept) => {
      const [first] = kept.keys();
      // Of the shorter window alone: its cache has two rows.
      return finish(from, kept, typeOf(from.module, first!).shape[2] === length - 4 ? wide : calibration);
    };
    expect(made([], { schedule: wider })).toHaveProperty("next");
    const apart = made([], { schedule: (from, kept) => finish(from, kept, kept ? wide : calibration) });
    expect(apart).toMatchObject({
      code: "MRL0307",
      because: expect.arrayContaining([expect.stringContaining("in the window and")]),
    });
    expect(() => made([4], { schedule: wider })).toThrow(
      /MRL0309[\s\S]*does not fit that of the window[\s\S]*in the window and/,
    );
  });
});
