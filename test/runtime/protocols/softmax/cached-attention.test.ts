import { expect, it } from "vitest";
import { evaluateOp } from "../../../../ir/interpret.ts";
import { tensor } from "../../../../ir/tensor.ts";
import type { MaskedValue, Party, Share } from "../../../../runtime/core/party.ts";
import type { Steps } from "../../../../runtime/core/steps.ts";
import { maskAndOpen } from "../../../../runtime/protocols/boundary/open.ts";
import { seededShare } from "../../../../runtime/protocols/boundary/seeded-share.ts";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { coarseMaxCachedAttention } from "../../../../runtime/protocols/softmax/cached-attention.ts";
import { add } from "../../../../runtime/ring/arithmetic.ts";
import { concat } from "../../../../runtime/ring/layout-ops.ts";
import { intTensor, type Shape, sizeOf } from "../../../../runtime/ring/tensor.ts";
import { compareViews, type LeakCase } from "../../../harness/compare-views.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "../../../harness/execute-protocol.ts";
import { breaks } from "../../../harness/leak-breaks.ts";
import { limitOf } from "../../../harness/leak-statistics.ts";
import { runParties } from "../../../harness/run-parties.ts";

const [heads, groups, depth] = [2, 1, 4];
const specOf = (past: number, next: number, batch = 1): Spec => ({
  operands: [
    fixed([batch, heads, next, depth], 8, -2, 2),
    fixed([batch, groups, next, depth], 8, -2, 2),
    fixed([batch, groups, next, depth], 10, -3, 3),
    fixed([batch, groups, past, depth], 8, -2, 2),
    fixed([batch, groups, past, depth], 10, -3, 3),
  ],
  result: fixed([batch, heads, next, depth], 12, -3, 3, 36),
  attrs: { scale: 0.5, causal: true, score_bound: 12 },
});
const draw = (spec: Spec, trial: number): readonly Float64Array[] =>
  spec.operands.map(({ shape, lo, hi, scale }, index) =>
    quantizeToGrid(reals(sizeOf(shape), lo, hi, trial + 31 * index), scale),
  );
const exact = (spec: Spec, inputs: readonly Float64Array[]): readonly number[] => {
  const operands = inputs.map((values, index) => tensor(spec.operands[index]!.shape, values));
  return [...evaluateOp("cached-attention", operands, spec.attrs).data];
};

it("stays within its declared error, 60 seeds, one new place and several; counted = metered", () => {
  for (let trial = 0; trial < 60; trial++) {
    const spec = specOf([1, 5, 12][trial % 3]!, [1, 3][trial % 2]!);
    const inputs = draw(spec, trial);
    const outcome = execute(coarseMaxCachedAttention, spec, inputs, { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    expect(worstUlps(outcome, exact(spec, inputs))).toBeLessThanOrEqual(declaredUlps(coarseMaxCachedAttention, spec));
  }
});

/** Opens keys and values of the past once, then attends twice: the second time to what the first step opened as well. */
function* twoSteps(
  party: Party,
  online: boolean,
  raw: readonly Float64Array[],
  batch = 1,
): Steps<readonly [Share, Share]> {
  const past = 3;
  const first = resolveWidths(coarseMaxCachedAttention, specOf(past, 1, batch));
  const second = resolveWidths(coarseMaxCachedAttention, specOf(past + 1, 1, batch));
  const open = function* (name: string, shape: Shape, width: number, values: Float64Array): Steps<MaskedValue> {
    const known = party.role === "client" && online ? values : undefined;
    const spec = { shape, width, scale: 0, lo: 0, hi: 0 };
    const share = yield* seededShare.run(
      party.at(`${name} in`),
      { operands: [spec], result: spec, attrs: {} },
      intTensor(shape, known),
    );
    return yield* maskAndOpen(party.at(name), (share as Share).tensor);
  };
  const [wide, , weighted] = first.operands.map(({ width }) => width) as [number, number, number];
  const row = (count: number): Shape => [batch, groups, count, depth];
  const pastK = yield* open("past k", row(past), wide, raw[0]!);
  const pastV = yield* open("past v", row(past), weighted, raw[1]!);
  const step = function* (name: string, at: number): Steps<readonly [MaskedValue, MaskedValue, MaskedValue]> {
    const q = yield* open(`${name} q`, [batch, heads, 1, depth], wide, raw[at]!);
    const k = yield* open(`${name} k`, row(1), wide, raw[at + 1]!);
    return [q, k, yield* open(`${name} v`, row(1), weighted, raw[at + 2]!)];
  };
  const below = (x: MaskedValue, y: MaskedValue): MaskedValue => ({
    kind: "masked",
    opened: joined(x.opened, y.opened),
    mask: { share: joined(x.mask.share!, y.mask.share!), secret: joined(x.mask.secret, y.mask.secret), fresh: false },
  });
  const [q1, k1, v1] = yield* step("first", 2);
  const one = yield* coarseMaxCachedAttention.run(party.at("one"), first, q1, k1, v1, pastK, pastV);
  const [q2, k2, v2] = yield* step("second", 5);
  const two = yield* coarseMaxCachedAttention.run(
    party.at("two"),
    second,
    q2,
    k2,
    v2,
    below(pastK, k1),
    below(pastV, v1),
  );
  return [one as Share, two as Share];
}

const joined = (x: MaskedValue["opened"], y: MaskedValue["opened"]): MaskedValue["opened"] => concat([x, y], 2);

const scales = [8, 10, 8, 8, 10, 8, 8, 10];
const sizes = [12, 12, 8, 4, 4, 8, 4, 4];

it("decodes two places on one set of kept wires as a full attention does, 20 seeds", () => {
  for (let trial = 1; trial <= 20; trial++) {
    const real = sizes.map((size, k) => quantizeToGrid(reals(size, -2, 2, trial + 17 * k), scales[k]!));
    const raw = real.map((values, k) => values.map((x) => Math.round(x * 2 ** scales[k]!)));
    const run = runParties((party, stage) => twoSteps(party, stage === "online", raw), trial);
    expect(run.metered).toEqual(run.counted);
    const [pk, pv, q1, k1, v1, q2, k2, v2] = real as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const wanted = [
      exact(specOf(3, 1), [q1, k1, v1, pk, pv]),
      exact(specOf(4, 1), [q2, k2, v2, Float64Array.of(...pk, ...k1), Float64Array.of(...pv, ...v1)]),
    ];
    wanted.forEach((values, step) => {
      const { client, server } = { client: run.client[step]!.tensor, server: run.server[step]!.tensor };
      const sum = add(client, server);
      values.forEach((value, at) => {
        // 36 bits are two lanes; results are small, so the low one and its sign say all.
        const found = (sum.data![2 * at]! | 0) / 2 ** 12;
        expect(Math.abs(found - value) * 2 ** 12).toBeLessThan(
          declaredUlps(coarseMaxCachedAttention, specOf(3 + step, 1)),
        );
      });
    });
  }
});

it("opens new places only: a longer past adds scores, and none of its keys and values", () => {
  const traffic = (past: number): number => costOf(coarseMaxCachedAttention, specOf(past, 1)).clientToServer;
  const wide = { ...specOf(64, 1) };
  const deep = {
    ...wide,
    operands: wide.operands.map((operand) => ({ ...operand, shape: operand.shape.with(3, 32) })),
    result: { ...wide.result, shape: wide.result.shape.with(3, 32) },
  };
  const width = resolveWidths(coarseMaxCachedAttention, deep).operands[2]!.width;
  // Depth 32 instead of 4: only the [heads, 1, depth] sums are opened wider, never the 64 places of the past.
  expect(costOf(coarseMaxCachedAttention, deep).clientToServer - traffic(64)).toBeLessThan(
    (heads * 28 * width) / 8 + 16,
  );
});

it("leaks nothing when kept wires are used twice: two secrets, either party corrupted", () => {
  const secret = (by: number): readonly (readonly number[])[] =>
    sizes.map((size, k) => Array.from({ length: size }, (_, at) => (((at * 37 + k * 11) % 200) - 90) * by));
  const test: LeakCase = {
    name: "two steps on kept wires",
    secrets: [secret(1), secret(2)],
    body: (_, values, samples) => {
      // Samples stand along the first axis: each is one sequence.
      const raw = values.map((each) =>
        Float64Array.from({ length: samples * each.length }, (_, at) => each[at % each.length]!),
      );
      return (party, stage) => twoSteps(party, stage === "online", raw, samples);
    },
  };
  for (const corrupted of ["client", "server"] as const) {
    const sound = compareViews(test, corrupted, 600);
    expect(sound.z, sound.where).toBeLessThan(limitOf(sound.tests));
    const broken = compareViews(test, corrupted, 600, breaks["mask is 0"]);
    expect(broken.z).toBeGreaterThan(limitOf(broken.tests));
  }
});
