import { describe, expect, test } from "vitest";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { compareWithModule } from "../../../compiler/audit/compare-module.ts";
import { compareParties } from "../../../compiler/audit/compare-parties.ts";
import { parseMir } from "../../../compiler/audit/parse-mir.ts";
import { parseProgram } from "../../../compiler/audit/parse-program.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { trackValues } from "../../../compiler/audit/track-values.ts";
import type { Module } from "../../../ir/module.ts";
import { print } from "../../../ir/text/print.ts";
import { calibrate } from "../../../passes/4-quantize/calibrate.ts";
import { withCachedRanges } from "../../../passes/4-quantize/calibration-types.ts";
import { quantizePass } from "../../../passes/4-quantize/index.ts";
import { selectPass } from "../../../passes/5-select/index.ts";
import { schedulePass } from "../../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../../passes/pass.ts";
import { emitProgram } from "../../../targets/program/emit.ts";
import { planProgram } from "../../../targets/program/plan.ts";
import { decoder, derive, length, secure, width } from "../../passes/decoder-model.ts";
import { createNoise } from "../../passes/models.ts";
import { roles } from "../../targets/programs.ts";
import { codesOf, edited, goldenBuild, modulePaths, programPaths, resealed, withManifest } from "./builds.ts";
import { decodePaths, keptBuild, twice } from "./cached-build.ts";

/*
 * Programs that keep masked values for later queries: a decode step reads the keys and values that earlier ones opened.
 * Here the golden build keeps its gate and multiplies with the earlier gate.
 */
const changed = (from: string, to: string): readonly string[] =>
  codesOf(edited(keptBuild, programPaths, (text) => text.replaceAll(from, to)));

test("a masked value of earlier queries stays masked, and the same values are opened", () => {
  const { findings, opened } = checkFlow(keptBuild);
  expect(findings).toEqual([]);
  expect(opened).toHaveLength(1);
});

test("a kept value is a masked value of the declared type", () => {
  expect(changed("past: gate_open }", "past: gated }")).toContain("MRL0904");
  expect(changed("past: gate_open }", "past: k_biased_t_open }")).toContain("MRL0904");
  expect(changed("return { logits, past: gate_open }", "return { logits }")).toContain("MRL0904");
  expect(changed("past: gate_open }", "past: gate_open, more: gate_open }")).toContain("MRL0905");
});

test("a value read from earlier queries is one that they kept", () => {
  expect(changed("past: 3 }", "past: 5 }")).toContain("MRL0907");
  expect(changed("cached.past,", "cached.other,")).toContain("MRL0907");
  expect(changed("specs.q_b_t, q_b)", "specs.q_b_t, cached.past)")).toContain("MRL0907");
  expect(
    codesOf(
      resealed(
        edited(keptBuild, modulePaths, (text) =>
          text.replace("masked fx15.12[3, 4] in [-0.3, 2]\n  param", "additive fx15.12[3, 4] in [-0.3, 2]\n  param"),
        ),
      ),
    ),
  ).toContain("MRL0909");
});

test("two programs over one state are checked alike, and must keep the same masked values", () => {
  const { findings, opened } = checkFlow(twice);
  expect(findings).toEqual([]);
  expect(opened).toHaveLength(2);
  const other = edited(twice, decodePaths, (text) =>
    text
      .replaceAll("past: {", "later: {")
      .replaceAll("past: gate", "later: gate")
      .replaceAll("cached.past", "cached.later")
      .replaceAll("types.past", "types.later"),
  );
  expect(codesOf(other)).toContain("MRL0915");
  expect(codesOf(edited(twice, decodePaths, (text) => text.replaceAll('to: "client"', 'to: "server"')))).toContain(
    "MRL0910",
  );
  const overriding = withManifest(twice, (manifest) => ({ ...manifest, decode: { ...manifest, weights: [] } }));
  expect(codesOf(overriding)).toContain("MRL0901");
});

test("a weight of which a query reads one row is declared whole", () => {
  const placed = (place: string, rows: number): BuildFiles =>
    resealed(
      edited(
        edited(goldenBuild(), programPaths, (text) =>
          text.replace("shape: [4, 2], width: 39, scale: 12 }", `shape: [${rows}, 2], width: 39, scale: 12${place} }`),
        ),
        modulePaths,
        (text) => text.replace('"model.q.lora_A"', '"model.q.lora_A" at position { axis = 0, rows = 9 }'),
      ),
    );
  // The file of this build has 4 rows.
  expect(codesOf(placed(", rowAxis: 0", 9))).toEqual(["MRL0912"]);
  expect(codesOf(placed(", rowAxis: 1", 9))).toEqual(expect.arrayContaining(["MRL0907", "MRL0909"]));
  expect(codesOf(placed("", 9))).toContain("MRL0907");
  expect(codesOf(placed(", rowAxis: 0", 3))).toEqual(expect.arrayContaining(["MRL0907", "MRL0909"]));
});

describe("the programs of a session that keeps keys and values", () => {
  const state = secure(decoder());
  const one = derive(state);
  const given = new Map([["x", createNoise(5)([1, length, width], 2)]]);
  const calibration = calibrate(state, [given], { margin: 1.5 });
  const scheduled = (from: SplitState, known = calibration): Module =>
    [selectPass({ setting: "2pc-dealer" }), schedulePass].reduce(
      (current, pass) => runPass(pass, current),
      runPass(quantizePass({ calibration: known }), from),
    ).module;
  const programs: readonly (readonly [string, Module, readonly string[]])[] = [
    ["the window", scheduled(state), [...one.cached.keys()]],
    ["one place more", scheduled(one.state, withCachedRanges(calibration, one.cached)), []],
  ];

  test.each(programs)("%s: unchanged, they open the output and nothing else", (_, module, keeps) => {
    const plan = planProgram(module, "2pc-dealer", keeps);
    const texts = roles.flatMap((role) => {
      const { ts, js } = emitProgram(plan, role, { hash: "0".repeat(64), compiler: "test" });
      return [parseProgram(ts, "ts"), parseProgram(js, "js")].map((program) => ({ program, file: role }));
    });
    expect(compareParties(texts)).toEqual([]);
    const [{ program }] = texts as [(typeof texts)[0]];
    expect([...program.cached.keys()].sort()).toEqual([...one.cached.keys()].sort());
    const flow = trackValues(program, "program.ts");
    expect(flow.findings).toEqual([]);
    expect(compareWithModule(program, flow, parseMir(print(module)), "program.ts")).toEqual([]);
    expect(flow.opened.map(({ to, from }) => [to, from])).toEqual([["client", ["client", "server"]]]);
  });

  test.each(programs)("%s: keeps of each attention its key and its value, under their names", (_, module, keeps) => {
    const plan = planProgram(module, "2pc-dealer", keeps);
    const { ts } = emitProgram(plan, "client", { hash: "0".repeat(64), compiler: "test" });
    const [key, value] = Object.keys(plan.cached) as [string, string];
    const text = print(module);
    const found = (changed: string): readonly string[] => {
      const program = parseProgram(changed, "ts");
      return compareWithModule(program, trackValues(program, "program.ts"), parseMir(text), "program.ts").map(
        ({ message }) => message,
      );
    };
    const [mine, theirs] = [key, value].map((name) => new RegExp(`"${name}": (\\w+)`).exec(returnOf(ts))![1]!);
    expect(mine).not.toBe(theirs);
    const exchanged = ts.replace(returnOf(ts), (line) =>
      line.replace(
        new RegExp(`(": )(${mine}|${theirs})\\b`, "g"),
        (_all, mark, name) => mark + (name === mine ? theirs : mine),
      ),
    );
    expect(found(ts)).toEqual([]);
    expect(found(exchanged)).toEqual([key, value].map((name) => `${name} keeps another value than in program.mir`));
  });
});

/** The line in which a program returns what it opens and what it keeps. */
const returnOf = (text: string): string => /\n *return \{[^}]*\}/.exec(text)![0];
