import { describe, expect, it } from "vitest";
import { evaluateOp } from "../../../ir/interpret.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { worst } from "../onnx/import/recorded.ts";
import { type Attribute, agreesWithRuntime, type Case, drawn, type In, imported, of, resultOf } from "./one-node.ts";

const domain = "com.microsoft";
const none = undefined;
const real = (float: number): Attribute => ({ float });
const whole = (shape: readonly number[], values: readonly number[], known: boolean): In => ({
  shape,
  values,
  dtype: "int32",
  ...(known && { known: true }),
});
const lengths = (...values: number[]): In => whole([values.length], values, true);
const secretLengths = (...values: number[]): In => whole([values.length], values, false);
const positions = (shape: readonly number[], values: readonly number[]): In => ({
  shape,
  values,
  dtype: "int64",
  known: true,
});

/** Query heads and key heads, new positions, width of a head. */
const [heads, groups, rows, depth] = [4, 2, 3, 16];

interface Grouped {
  readonly batch?: number;
  readonly packed?: true;
  readonly past?: number;
  /** seqlens_k; absent: every sequence is full. */
  readonly lengths?: In;
  readonly rotary?: number;
  readonly positions?: In;
  readonly bias?: In;
  readonly sink?: In;
  /** q_norm_weight and k_norm_weight. */
  readonly norms?: readonly [In, In];
  /** total_sequence_length; absent: the past and the new positions. */
  readonly total?: number;
  readonly attrs?: Readonly<Record<string, Attribute>>;
  readonly cache?: false;
}

function grouped(given: Grouped): Case {
  const { batch = 1, past = 0, attrs = {}, rotary } = given;
  const total = past + rows;
  const width = (count: number): In => of(batch, rows, count * depth);
  const state = past > 0 ? of(batch, groups, past, depth) : none;
  const full = lengths(...Array<number>(batch).fill(total - 1));
  const tables = rotary === undefined ? [none, none] : [of(16, rotary / 2), of(16, rotary / 2)];
  return {
    op: "GroupQueryAttention",
    domain,
    inputs: [
      ...(given.packed ? [width(heads + 2 * groups), none, none] : [width(heads), width(groups), width(groups)]),
      state,
      state,
      given.lengths ?? full,
      { shape: [], values: [given.total ?? total], dtype: "int32", known: true },
      ...tables,
      given.positions,
      given.bias,
      given.sink,
      none,
      none,
      ...(given.norms ?? []),
    ],
    attrs: { num_heads: heads, kv_num_heads: groups, ...(rotary !== undefined && { do_rotary: 1 }), ...attrs },
    outputs: [true, given.cache !== false, given.cache !== false],
  };
}

const groupQuery: readonly Case[] = [
  grouped({}),
  grouped({ packed: true, rotary: depth }),
  grouped({ rotary: depth, attrs: { rotary_interleaved: 1 } }),
  grouped({ batch: 2, rotary: depth, attrs: { scale: real(0.3) } }),
  grouped({ rotary: depth, past: 4 }),
  grouped({ past: 4, attrs: { local_window_size: 3 } }),
  grouped({ attrs: { local_window_size: 2, softcap: real(1.25) } }),
  grouped({ attrs: { softcap: real(0.5) }, past: 2 }),
  grouped({ bias: of(1, heads, rows, rows) }),
  grouped({ attrs: { smooth_softmax: 1 } }),
  grouped({ sink: of(heads), past: 1 }),
  // For a first prompt's position_ids the runtime takes only the first, and counts on.
  grouped({ rotary: depth, positions: positions([1, rows], [2, 3, 4]) }),
  grouped({ rotary: depth, past: 2, positions: positions([1, rows], [2, 7, 1]) }),
  // Room for a past that is still empty.
  grouped({ rotary: depth, past: 4, lengths: lengths(rows - 1), total: rows, cache: false }),
];

describe("GroupQueryAttention", () => agreesWithRuntime(groupQuery));

/** The first `count` entries along an axis. */
const cut = (x: Tensor, axis: number, count: number): Tensor =>
  evaluateOp("slice", [x], {
    starts: x.shape.map(() => 0),
    ends: x.shape.map((extent, at) => (at === axis ? count : extent)),
    steps: x.shape.map(() => 1),
  });

const windows: readonly (readonly [string, Case["attrs"] & object])[] = [
  ["", {}],
  [", with a window of places", { local_window_size: 4 }],
];
it.each(
  windows,
)("GroupQueryAttention after a past that is not full equals that after its filled part%s", (_, attrs) => {
  const [room, filled] = [5, 3];
  const heads3 = [heads, groups, groups].map((count, at) => drawn([1, rows, count * depth], at + 1));
  const past = [4, 5].map((seed) => drawn([1, groups, room, depth], seed));
  const tables = [drawn([16, depth / 2], 6), drawn([16, depth / 2], 7)];
  const common = [...heads3.map((each, at) => [at, each] as const), [7, tables[0]!] as const, [8, tables[1]!] as const];
  const roomy = grouped({ past: room, lengths: secretLengths(0), rotary: depth, cache: false, attrs });
  const found = resultOf(
    roomy,
    new Map([...common, [3, past[0]!], [4, past[1]!], [5, tensor([1], [filled + rows - 1])]]),
  );
  const short = grouped({ past: filled, rotary: depth, cache: false, attrs });
  const wanted = resultOf(
    short,
    new Map([...common, ...past.map((each, at) => [3 + at, cut(each, 2, filled)] as const)]),
  );
  expect(worst(found, wanted)).toBeLessThan(1e-9);
});

/** Random queries, keys and values of the new positions. */
const fresh = [heads, groups, groups].map((count, at) => [at, drawn([1, rows, count * depth], at + 1)] as const);

it("GroupQueryAttention with a cache of the window's size sees the same as with a longer one", () => {
  const [size, before] = [4, 6];
  const past = [4, 5].map((seed) => drawn([1, groups, before, depth], seed));
  const common = [...fresh, [7, drawn([16, depth / 2], 6)] as const, [8, drawn([16, depth / 2], 7)] as const];
  const attrs = { local_window_size: size };
  const whole = new Map([...common, ...past.map((each, at) => [3 + at, each] as const)]);
  const wanted = resultOf(grouped({ past: before, rotary: depth, cache: false, attrs }), whole);
  const last = (x: Tensor): Tensor =>
    evaluateOp("slice", [x], { starts: [0, 0, before - size, 0], ends: [...x.shape], steps: [1, 1, 1, 1] });
  const kept = new Map([...common, ...past.map((each, at) => [3 + at, last(each)] as const)]);
  const narrow = { past: size, rotary: depth, cache: false, attrs: { ...attrs, sliding_window_cache: 1 } } as const;
  for (const given of [lengths(before + rows - 1), secretLengths(0)]) {
    const inputs = given.known ? kept : new Map([...kept, [5, tensor([1], [before + rows - 1])] as const]);
    const found = resultOf(grouped({ ...narrow, lengths: given, total: before + rows }), inputs);
    expect(worst(found, wanted)).toBeLessThan(1e-9);
  }
});

it("GroupQueryAttention with norms inside equals norms before it", () => {
  const gains = [drawn([depth], 8), drawn([depth], 9)];
  const tables = [[7, drawn([16, depth / 2], 6)] as const, [8, drawn([16, depth / 2], 7)] as const];
  const normed = fresh.map(([at, x]): readonly [number, Tensor] => {
    if (at === 2) return [at, x];
    const apart = { shape: [1, rows, x.shape[2]! / depth, depth], data: x.data };
    const unit = evaluateOp("rms-norm", [apart], { epsilon: 1e-6, sum_lo: 0, sum_hi: 0 });
    return [at, { shape: x.shape, data: evaluateOp("mul", [unit, gains[at]!], {}).data }];
  });
  const wanted = resultOf(grouped({ rotary: depth }), new Map([...normed, ...tables]));
  const inside = grouped({ rotary: depth, norms: [of(depth), of(depth)] });
  const given = gains.map((each, at) => [14 + at, each] as const);
  expect(worst(resultOf(inside, new Map([...fresh, ...tables, ...given])), wanted)).toBeLessThan(1e-9);
});

describe("GroupQueryAttention is refused with", () => {
  const refused: readonly (readonly [string, Case])[] = [
    ["scores of groups", { ...grouped({ attrs: { qk_output: 1 } }), outputs: [true, false, false, true] }],
    ["a quantised cache", grouped({ attrs: { k_quant_type: "PER_TENSOR" } })],
    ["a cache behind secret lengths", grouped({ past: 4, lengths: secretLengths(5) })],
    ["a cache that is as wide as a window", grouped({ attrs: { local_window_size: 2, sliding_window_cache: 1 } })],
    [
      "a cache wider than the window, of a longer text",
      grouped({ past: 4, attrs: { local_window_size: 3, sliding_window_cache: 1 }, total: 9, cache: false }),
    ],
    ["queries that see those behind them", grouped({ attrs: { causal: 0 } })],
    ["an attribute that nobody knows", grouped({ attrs: { kv_share: 1 } })],
    ["an input that nobody knows", { ...grouped({}), inputs: [...grouped({}).inputs, none, none, of(2)] }],
    ["heads of keys that do not divide those of queries", grouped({ attrs: { kv_num_heads: 3 } })],
    ["no heads", grouped({ attrs: { kv_num_heads: 0 } })],
  ];
  it.each(refused)("%s", (_name, each) => {
    expect(codesOf(() => imported(each))).toEqual(["MRL0404"]);
  });
});
