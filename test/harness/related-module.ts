import { type Builder, createBuilder } from "../../ir/builder.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Attrs, type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { type Tensor, tensor, type WeightStore } from "../../ir/tensor.ts";
import { f32, type Interval, type Shape, sizeOf } from "../../ir/type.ts";

/** Numbers in [0, 1) from a seed (Weyl sequence through a mixer). */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
}

export interface RelatedModule {
  readonly module: Module;
  readonly weights: WeightStore;
  /** Bounds of the inputs. */
  readonly given: ReadonlyMap<ValueId, Interval>;
}

interface Sketch {
  readonly random: () => number;
  readonly builder: Builder;
  readonly values: ValueId[];
  readonly shape: (id: ValueId) => Shape;
  readonly constant: (value: Tensor) => ValueId;
}

const choose = <T>({ random }: Sketch, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const any = (sketch: Sketch): ValueId => choose(sketch, sketch.values);
/** Small numbers, of which many are equal: sums and products cancel now and then. */
const number = (sketch: Sketch): number => choose(sketch, [-2, -1, -0.5, 0.25, 0.5, 1, 2, 3]);

function emit({ builder, values }: Sketch, name: string, operands: readonly ValueId[], attrs: Attrs = {}): ValueId {
  const id = builder.op(name, operands, attrs);
  values.push(id);
  return id;
}

const fits = (a: Shape, b: Shape): boolean => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, k) => [a[a.length - rank + k] ?? 1, b[b.length - rank + k] ?? 1]).every(
    ([x, y]) => x === y || x === 1 || y === 1,
  );
};

/** A value that broadcasts with x; often one that was made of it. */
const partner = (sketch: Sketch, x: ValueId): ValueId =>
  choose(
    sketch,
    sketch.values.filter((id) => fits(sketch.shape(x), sketch.shape(id))),
  );

/** A reduction of x over some axes, broadcast back or not. */
function reduced(sketch: Sketch, name: string, x: ValueId, keepdims = sketch.random() < 0.7): ValueId {
  const axes = sketch.shape(x).flatMap((_, axis) => (sketch.random() < 0.6 ? [axis] : []));
  return axes.length === 0 ? x : emit(sketch, name, [x], { axes, keepdims });
}

const between = ["add", "sub", "mul", "sub", "maximum", "minimum"];
const alone = ["exp", "relu", "abs", "neg", "sigmoid", "tanh", "square", "reciprocal", "rsqrt", "log", "sqrt"];
const rows = ["reduce-max", "reduce-min", "reduce-sum", "reduce-mean", "reduce-max", "reduce-sum"];

/** Values with the elements of another one at other places. */
const layouts: readonly ((sketch: Sketch, x: ValueId) => ValueId)[] = [
  (sketch, x) => {
    const order = sketch.shape(x).map((_, axis) => ({ axis, key: sketch.random() }));
    return emit(sketch, "transpose", [x], { perm: order.sort((a, b) => a.key - b.key).map(({ axis }) => axis) });
  },
  (sketch, x) => {
    const shape = sketch.shape(x);
    const forms = [[1, ...shape], [...shape, 1], shape.filter((size) => size !== 1), [...shape].reverse()];
    const next = choose(sketch, forms);
    return next.length <= 3 ? emit(sketch, "reshape", [x], { shape: next }) : x;
  },
  (sketch, x) => {
    const shape = sketch.shape(x).map((size) => (size === 1 ? choose(sketch, [1, 2, 3]) : size));
    return emit(sketch, "expand", [x], { shape });
  },
  (sketch, x) => {
    const parts = sketch.shape(x).map((size) => {
      const start = Math.floor(sketch.random() * size);
      return choose(sketch, [
        [0, size, 1],
        [0, start + 1, 1],
        [start, size, 1],
        [start, -1, -1],
      ]);
    });
    const [starts, ends, stepSizes] = [0, 1, 2].map((k) => parts.map((part) => part[k]!));
    return emit(sketch, "slice", [x], { starts: starts!, ends: ends!, steps: stepSizes! });
  },
];

const steps: readonly ((sketch: Sketch) => unknown)[] = [
  (sketch) => {
    const x = any(sketch);
    emit(sketch, choose(sketch, between), sketch.random() < 0.5 ? [x, partner(sketch, x)] : [partner(sketch, x), x]);
  },
  (sketch) => emit(sketch, choose(sketch, alone), [any(sketch)]),
  (sketch) => reduced(sketch, choose(sketch, rows), any(sketch)),
  // What programs write: a value beside its own reduction, in either order, broadcast as numpy does it.
  (sketch) => {
    const x = any(sketch);
    const y = reduced(sketch, choose(sketch, rows), x);
    if (fits(sketch.shape(x), sketch.shape(y)))
      emit(sketch, choose(sketch, ["sub", "mul", "add"]), sketch.random() < 0.8 ? [x, y] : [y, x]);
  },
  (sketch) => {
    const x = any(sketch);
    emit(sketch, choose(sketch, ["mul", "add", "sub"]), [x, sketch.constant(tensor([], [number(sketch)]))]);
  },
  (sketch) => {
    const x = any(sketch);
    const inverse = emit(sketch, choose(sketch, ["reciprocal", "rsqrt"]), [partner(sketch, x)]);
    emit(sketch, "mul", sketch.random() < 0.5 ? [x, inverse] : [inverse, x]);
  },
  (sketch) => {
    const [lo, width] = [number(sketch), Math.abs(number(sketch))];
    const ends = choose(sketch, [{ lo }, { hi: lo }, { lo, hi: lo + width }]);
    emit(sketch, "clip", [any(sketch)], ends);
  },
  (sketch) => choose(sketch, layouts)(sketch, any(sketch)),
  // A value beside its own elements at other places, or beside a reduction of these.
  (sketch) => {
    const x = any(sketch);
    const there = choose(sketch, layouts)(sketch, x);
    const y = sketch.random() < 0.6 ? reduced(sketch, choose(sketch, rows), there) : there;
    const [a, b] = sketch.random() < 0.5 ? [x, y] : [there, reduced(sketch, choose(sketch, rows), x)];
    if (fits(sketch.shape(a), sketch.shape(b))) emit(sketch, "sub", sketch.random() < 0.7 ? [a, b] : [b, a]);
  },
  // The root of a sum with a square in it, beside the value.
  (sketch) => {
    const x = any(sketch);
    const square = emit(sketch, "mul", [x, x]);
    const y = sketch.random() < 0.5 ? partner(sketch, x) : sketch.constant(tensor([], [number(sketch)]));
    const sum = emit(sketch, choose(sketch, ["add", "sub"]), [square, y]);
    const all = sketch.random() < 0.5 ? reduced(sketch, "reduce-sum", sum, true) : sum;
    const root = emit(sketch, "sqrt", [all]);
    emit(sketch, "sub", sketch.random() < 0.5 ? [x, root] : [root, x]);
  },
];

/** A module of values that stand beside their own reductions, orders and inverses: all results are outputs. */
export function relatedModule(seed: number): RelatedModule {
  const random = createRandom(seed);
  const builder = createBuilder("related", "rewrite");
  const weights = new Map<string, Tensor>();
  const given = new Map<ValueId, Interval>();
  const sketch: Sketch = {
    random,
    builder,
    values: [],
    shape: (id) => builder.type(id).shape,
    constant: (value) => {
      const name = `c${weights.size}`;
      weights.set(name, value);
      return builder.param(name, { label: "public", element: f32, shape: value.shape }, name);
    },
  };
  // Equal sizes on different axes: a value that is broadcast along the wrong axis still fits.
  const size = choose(sketch, [2, 3]);
  for (const id of ["x", "y"]) {
    const shape = choose(sketch, [[size, size], [size], [size, 1, size], [1, size], [size, size, size]]);
    const lo = choose(sketch, [-4, -1, 0, 0.5, 1]);
    given.set(id, { lo, hi: lo + choose(sketch, [0, 0.5, 2, 5]) });
    sketch.values.push(builder.input(id, { label: "shared", element: f32, shape }));
  }
  const count = 4 + Math.floor(random() * 9);
  for (let k = 0; k < count; k++) choose(sketch, steps)(sketch);
  for (const id of sketch.values.slice(2)) builder.output(id);
  return { module: builder.finish(), weights, given };
}

/** Inputs within their bounds: at their ends, equal to each other, or anywhere. */
export function drawWithin({ module, given }: RelatedModule, seed: number): ReadonlyMap<ValueId, Tensor> {
  const random = createRandom(seed * 7919 + 13);
  return new Map(
    module.inputs.map((id) => {
      const { lo, hi } = given.get(id)!;
      const style = random();
      const part = (): number => (style < 0.25 ? Math.round(random()) : style < 0.4 ? 0.5 : random());
      const { shape } = typeOf(module, id);
      return [
        id,
        tensor(
          shape,
          Float64Array.from({ length: sizeOf(shape) }, () => lo + (hi - lo) * part()),
        ),
      ];
    }),
  );
}

export type Prover = (
  module: Module,
  weights: WeightStore,
  ranges: ReadonlyMap<ValueId, Interval>,
) => (op: ReturnType<typeof opsOf>[number]) => Interval;

export interface Proof {
  readonly ranges: ReadonlyMap<ValueId, Interval>;
  /** Results whose range is tighter than that of the op tables alone. */
  readonly tighter: number;
}

/** The range of every value by a prover, from those of the inputs. */
export function proveAll({ module, weights, given }: RelatedModule, createProver: Prover): Proof {
  const ranges = new Map<ValueId, Interval>(given);
  for (const [id, name] of Object.entries(module.params)) {
    const { data } = weights.get(name)!;
    ranges.set(id, { lo: Math.min(...data), hi: Math.max(...data) });
  }
  const prove = createProver(module, weights, ranges);
  let tighter = 0;
  for (const op of opsOf(module)) {
    const operands = op.operands.map((id) => ranges.get(id)!);
    const shapes = op.operands.map((id) => typeOf(module, id).shape);
    const table = resultRange(opDef(op.name), operands, op.attrs, shapes);
    const range = prove(op);
    if (range.lo > table.lo || range.hi < table.hi) tighter++;
    ranges.set(op.result, range);
  }
  return { ranges, tighter };
}

/** The first computed value outside its proven range, as a sentence. */
export function escapedValue(
  related: RelatedModule,
  { ranges }: Proof,
  inputs: ReadonlyMap<ValueId, Tensor>,
): string | undefined {
  let found: string | undefined;
  const undefined_ = new Set<ValueId>();
  const makers = new Map(opsOf(related.module).map((op) => [op.result, op]));
  interpret(related.module, related.weights, inputs, {
    observe: (id, { data }) => {
      // Behind a value that does not exist, nothing is claimed.
      const behind = makers.get(id)?.operands.some((operand) => undefined_.has(operand)) ?? false;
      if (behind || !data.every(Number.isFinite)) {
        undefined_.add(id);
        return;
      }
      const { lo, hi } = ranges.get(id)!;
      const size = data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      const slack = 1e-9 * size;
      const out = data.find((x) => !(x >= lo - slack && x <= hi + slack));
      if (out !== undefined) found ??= `%${id} is ${out}, not in [${lo}, ${hi}]`;
    },
  });
  return found;
}
