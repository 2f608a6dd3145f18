import { type Builder, createBuilder } from "../../ir/builder.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import type { Module, ValueId } from "../../ir/module.ts";
import { type Tensor, tensor, type WeightStore } from "../../ir/tensor.ts";
import { type Element, f32, i64, type Shape, sizeOf } from "../../ir/type.ts";

/** Pseudo-random numbers that are the same in every run. */
export function createNoise(seed = 1): (shape: Shape, size?: number) => Tensor {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return (shape, size = 1) =>
    tensor(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, () => next() * size),
    );
}

export interface Model {
  readonly module: Module;
  readonly weights: WeightStore;
}

export interface Kit extends Builder {
  readonly weight: (id: string, label: Label, value: Tensor, element?: Element) => ValueId;
  readonly noise: (shape: Shape, size?: number) => Tensor;
  readonly feature: (id: string, shape: Shape, label?: Label) => ValueId;
  readonly ids: (id: string, shape: Shape) => ValueId;
}

/** A module at stage import, from a function that returns its outputs. */
export function model(build: (kit: Kit) => readonly ValueId[]): Model {
  const builder = createBuilder("test", "import");
  const weights = new Map<string, Tensor>();
  const kit: Kit = {
    ...builder,
    noise: createNoise(),
    weight: (id, label, value, element = f32) => {
      weights.set(`model.${id}`, value);
      return builder.param(id, { label, element, shape: value.shape }, `model.${id}`);
    },
    feature: (id, shape, label = "client") => builder.input(id, { label, element: f32, shape }),
    ids: (id, shape) => builder.input(id, { label: "client", element: i64, shape }),
  };
  for (const id of build(kit)) builder.output(id);
  return { module: builder.finish(), weights };
}

export interface BlockOptions {
  readonly rope?: boolean;
  readonly normWeightLabel?: Label;
}

const [rows, width, heads, inner, rank] = [6, 16, 2, 24, 3];
export const blockShape: Shape = [1, rows, width];

/** One transformer block with LoRA on q and v, rotary positions, and a gated feed-forward layer. */
export function block(options: BlockOptions = {}): Model {
  return model((kit) => {
    const { op, weight, noise } = kit;
    const dense = (id: string, x: ValueId, to: number, from = width): ValueId =>
      op(
        "matmul",
        [x, weight(id, "public", noise([from, to], 0.3))],
        {},
        { result: `${id}.y`, origin: `/${id}/MatMul` },
      );
    const adapted = (id: string, x: ValueId): ValueId => {
      const a = weight(`${id}.A`, "server", noise([width, rank], 0.3));
      const b = weight(`${id}.B`, "server", noise([rank, width], 0.3));
      return op("add", [dense(id, x, width), op("matmul", [op("matmul", [x, a]), b])], {}, { result: `${id}.sum` });
    };
    const norm = (id: string, x: ValueId): ValueId => {
      const normWeight = weight(`${id}.gain`, options.normWeightLabel ?? "public", noise([width], 0.5));
      return op("mul", [op("rms-norm", [x], { epsilon: 1e-5 }), normWeight], {}, { result: id });
    };
    const split = (x: ValueId): ValueId =>
      op("transpose", [op("reshape", [x], { shape: [1, rows, heads, width / heads] })], { perm: [0, 2, 1, 3] });
    const angles = Array.from({ length: (rows * width) / heads }, (_, i) => Math.floor(i / (width / heads)) * 0.3);
    const table = (id: string, f: (x: number) => number): ValueId =>
      weight(id, "public", tensor([1, 1, rows, width / heads], angles.map(f)));
    const [cos, sin] = [table("cos", Math.cos), table("sin", Math.sin)];
    const turn = (x: ValueId): ValueId => (options.rope === false ? x : op("rope", [x, cos, sin]));

    const x = kit.feature("x", blockShape);
    const h = norm("norm1", op("add", [x, dense("frozen", x, width)], {}, { result: "hidden" }));
    const q = turn(split(adapted("q", h)));
    const k = turn(split(dense("k", h, width)));
    const v = split(adapted("v", h));
    const attended = op("attention", [q, k, v], { scale: 1 / Math.sqrt(width / heads), causal: true });
    const merged = op("reshape", [op("transpose", [attended], { perm: [0, 2, 1, 3] })], { shape: [1, rows, width] });
    const middle = op("add", [h, dense("o", merged, width)], {}, { result: "middle" });
    const n = norm("norm2", middle);
    const gated = op("mul", [op("silu", [dense("gate", n, inner)]), dense("up", n, inner)]);
    return [op("add", [middle, dense("down", gated, width, inner)], {}, { result: "out", origin: "/out/Add" })];
  });
}

/** The diagnostics that a function throws. */
export function diagnosticsOf(run: () => unknown): readonly Diagnostic[] {
  try {
    run();
  } catch (error) {
    const { diagnostics } = error as { diagnostics?: readonly Diagnostic[] };
    if (diagnostics) return diagnostics;
    throw error;
  }
  return [];
}

export const codesOf = (run: () => unknown): readonly string[] => diagnosticsOf(run).map(({ code }) => code);

export function largestDifference(a: Tensor, b: Tensor): number {
  return a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - b.data[i]!)), 0);
}
