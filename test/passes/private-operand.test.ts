import { describe, expect, it } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { bool } from "../../ir/type.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { calibrate, quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass } from "../../passes/pass.ts";
import { createNoise, type Kit, largestDifference, model } from "./models.ts";
import { secure } from "./rewriting.ts";
import { computeByParties, type Inputs } from "./run-module.ts";

/** Sixteenths, so that some values equal their threshold and all are exact in fixed point. */
const sixteenths = (shape: readonly number[], seed: number) => {
  const { data } = createNoise(seed)(shape, 2);
  return tensor(
    shape,
    data.map((x) => Math.round(x * 2) / 2),
  );
};

interface Built {
  readonly x: ValueId;
  readonly w: ValueId;
  readonly v: ValueId;
  readonly p: ValueId;
}

/** The secret x of one output against the private thresholds w [4] and v [4] and the private condition p [4]. */
const built = (kit: Kit, make: (kit: Kit, given: Built) => ValueId) => {
  const x = kit.op("add", [kit.feature("x", [5, 4]), kit.weight("offset", "server", tensor([4], [0.5, 0, -0.5, 1]))]);
  const w = kit.weight("w", "server", tensor([4], [0.5, -0.5, 0, 1]));
  const v = kit.weight("v", "server", tensor([4], [-1, 0.25, 2, 0]));
  const p = kit.weight("p", "server", tensor([4], [1, 0, 1, 0]), bool);
  return [make(kit, { x, w, v, p })];
};

const number = (kit: Kit, c: ValueId): ValueId => kit.op("cast", [c], { to: "f32" });
const comparison =
  (kind: string, swapped: boolean) =>
  (kit: Kit, { x, w }: Built): ValueId =>
    number(kit, kit.op("compare", swapped ? [w, x] : [x, w], { kind }));

const kinds = ["equal", "less", "less-or-equal", "greater", "greater-or-equal"];
const positive = (kit: Kit, { x }: Built): ValueId =>
  kit.op("compare", [x, kit.weight("zero", "public", tensor([], [0]))], { kind: "greater" });

const cases: readonly (readonly [string, (kit: Kit, given: Built) => ValueId])[] = [
  ...kinds.flatMap((kind) => [
    [`x ${kind} w`, comparison(kind, false)] as const,
    [`w ${kind} x`, comparison(kind, true)] as const,
  ]),
  ["where(x > 0, x, w)", (kit, given) => kit.op("where", [positive(kit, given), given.x, given.w])],
  ["where(x > 0, w, x)", (kit, given) => kit.op("where", [positive(kit, given), given.w, given.x])],
  ["where(x > 0, v, w)", (kit, given) => kit.op("where", [positive(kit, given), given.v, given.w])],
  [
    "where(x > 0, w, a number)",
    (kit, given) => kit.op("where", [positive(kit, given), given.w, kit.weight("n", "public", tensor([], [0.75]))]),
  ],
  ["where(p, x, w)", (kit, { p, x, w }) => kit.op("where", [p, x, w])],
  ["where(p, w, −x)", (kit, { p, x, w }) => kit.op("where", [p, w, kit.op("neg", [x])])],
  ["maximum(x, w)", (kit, { x, w }) => kit.op("maximum", [x, w])],
  ["minimum(w, x)", (kit, { x, w }) => kit.op("minimum", [w, x])],
  [
    "x > 0 equals p",
    (kit, given) => number(kit, kit.op("compare", [positive(kit, given), given.p], { kind: "equal" })),
  ],
];

describe("operators between a secret and a private weight", () => {
  it.each(cases)("%s: three parties compute what the interpreter does", async (_name, make) => {
    const { state } = secure(model((kit) => built(kit, make)));
    const inputs = (seed: number): Inputs =>
      new Map(state.module.inputs.map((id) => [id, sixteenths(state.module.values[id]!.type.shape, seed)]));
    const given = inputs(3);
    const [expected] = interpret(state.module, state.weights, given).values();
    const rewritten = runPass(rewritePass(), state);
    const [after] = interpret(rewritten.module, rewritten.weights, given).values();
    expect(largestDifference(after!, expected!)).toBe(0);

    const calibration = calibrate(rewritten, [4, 5, 6].map(inputs));
    const quantized = runPass(quantizePass({ calibration }), rewritten);
    const scheduled = runPass(schedulePass, runPass(selectPass({ setting: "2pc-dealer" }), quantized));
    const found = await computeByParties("2pc-dealer", scheduled, given);
    expect(largestDifference(found, expected!)).toBeLessThanOrEqual(2 ** -11);
  });
});
