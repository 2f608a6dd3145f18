import fc from "fast-check";
import { createBuilder } from "../../ir/builder.ts";
import { labels } from "../../ir/label.ts";
import type { Attrs, Module, ValueId } from "../../ir/module.ts";
import type { AttrKind, OpDef } from "../../ir/ops/define.ts";
import { registry } from "../../ir/registry.ts";
import { bool, f32, i64, type PlainElement, type Shape, sizeOf } from "../../ir/type.ts";

/** An integer from 0 to max. */
type DrawInteger = (max: number) => number;
type AttrDraw = (draw: DrawInteger, operands: readonly Shape[]) => Attrs;

/** Numbers from a seed (Marsaglia's xorshift32): a longer module of the same seed begins like a shorter one. */
function createDraw(seed: number): DrawInteger {
  let state = seed * 2 + 1;
  return (max) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % (max + 1);
  };
}

const choose = <T>(draw: DrawInteger, items: readonly T[]): T => items[draw(items.length - 1)]!;
const flip = (draw: DrawInteger): boolean => draw(1) === 1;
const subset = <T>(draw: DrawInteger, items: readonly T[]): readonly T[] => items.filter(() => flip(draw));
const shuffled = (draw: DrawInteger, items: readonly number[]): readonly number[] =>
  items
    .map((item) => ({ item, key: draw(999) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
const text = (draw: DrawInteger): string => choose(draw, ["", "a", 'quote " and \\', "line\nbreak", "ümlaut"]);
const axisOf = (draw: DrawInteger, shape: Shape | undefined): number => draw(Math.max(0, (shape?.length ?? 0) - 1));

const spatialRank = (x: Shape): number => Math.max(0, x.length - 2);
const drawWindows = (draw: DrawInteger, x: Shape): Attrs => ({
  strides: Array(spatialRank(x)).fill(draw(1) + 1),
  pads: Array(2 * spatialRank(x)).fill(draw(1)),
  dilations: Array(spatialRank(x)).fill(draw(1) + 1),
});

/** Attributes whose valid values depend on the operands, by operator; all others are drawn by kind. */
const attrDraws: Readonly<Record<string, AttrDraw>> = {
  reshape: (draw, [x]) => ({ shape: choose(draw, [[sizeOf(x!)], [...x!].reverse(), [1, ...x!]]) }),
  expand: (draw, [x]) => ({ shape: [draw(2) + 1, ...x!] }),
  transpose: (draw, [x]) => ({ perm: shuffled(draw, [...x!.keys()]) }),
  slice: (draw, [x]) => {
    const parts = x!.map((size) => {
      const start = draw(size - 1);
      return choose(draw, [
        [start, size, draw(1) + 1],
        [start, -1, -1],
      ]);
    });
    return { starts: parts.map((p) => p[0]!), ends: parts.map((p) => p[1]!), steps: parts.map((p) => p[2]!) };
  },
  conv: (draw, [x]) => ({ ...drawWindows(draw, x!), group: draw(1) + 1 }),
  "sum-pool": (draw, [x]) => ({ kernel: Array(spatialRank(x!)).fill(draw(1) + 1), ...drawWindows(draw, x!) }),
  "max-pool": (draw, [x]) => ({ kernel: Array(spatialRank(x!)).fill(draw(1) + 1), ...drawWindows(draw, x!) }),
  cast: (draw) => ({ to: choose(draw, ["f32", "i64", "bool"]) }),
  compare: (draw) => ({ kind: choose(draw, ["equal", "less", "less-or-equal", "greater", "greater-or-equal"]) }),
  logic: (draw) => ({ kind: choose(draw, ["and", "or", "xor"]) }),
  gelu: (draw) => ({ approximate: choose(draw, ["none", "tanh"]) }),
  clip: (draw) => ({ lo: -draw(8) / 4, hi: draw(8) / 4 }),
  "one-hot": (draw) => ({ depth: draw(3) + 1 }),
  "gather-nd": () => ({ batch_dims: 0 }),
  reveal: (draw) => ({ to: choose(draw, ["client", "server"]) }),
};

const kindDraws: Readonly<
  Record<AttrKind, (draw: DrawInteger, name: string, operands: readonly Shape[]) => Attrs[string]>
> = {
  int: (draw, name, [x]) => (name === "axis" ? axisOf(draw, x) : draw(4) + 1),
  float: (draw) => (draw(2 ** 20) + 1) / 2 ** 18,
  bool: flip,
  string: text,
  ints: (draw, _name, [x]) => subset(draw, [...x!.keys()]),
  floats: (draw) => [draw(8) / 4, draw(8)],
  strings: (draw) => [text(draw)],
};

/** Operands that are not f32: booleans, or indices (drawn only from the input that holds safe ones). */
const operandKinds: Readonly<Record<string, readonly ("bool" | "index" | "f32")[]>> = {
  where: ["bool"],
  not: ["bool"],
  logic: ["bool", "bool"],
  gather: ["f32", "index"],
  "gather-nd": ["f32", "index"],
  "scatter-nd": ["f32", "index", "f32"],
  "one-hot": ["index"],
};

function drawAttrs(draw: DrawInteger, def: OpDef, shapes: readonly Shape[]): Attrs {
  const own = attrDraws[def.name];
  if (own) return own(draw, shapes);
  const entries = Object.entries(def.attrs).map(([name, { kind }]) => [name, kindDraws[kind](draw, name, shapes)]);
  return Object.fromEntries(entries) as Attrs;
}

export interface ModuleOptions {
  /** Number of ops to try; fewer result, since ops with operands that do not fit are dropped. */
  readonly tries?: number;
  /** Operators to draw from; default: all but those of the secure stages. */
  readonly operators?: readonly string[];
  /** Labels of inputs and parameters; default: all. */
  readonly labels?: readonly (typeof labels)[number][];
}

const secureStages: ReadonlySet<string> = new Set(["share", "open", "extend", "narrow", "truncate", "reveal"]);
const inputShapes: readonly Shape[] = [[2, 3], [3], [], [3, 2], [1, 3], [2, 1, 4], [1, 2, 2, 4], [1, 1, 2, 4]];
const largest = 512;

/** Input of every drawn module: its elements must be 0 or −1, indices that are valid on every axis. */
export const indexInput = "indices";

/** Random modules of the import stage, well typed by the op tables. Values lie in [−4, 4], see `drawInputs`. */
export function arbitraryModule(options: ModuleOptions = {}): fc.Arbitrary<Module> {
  // A failure shrinks to a shorter program of the same seed; other seeds are other programs.
  return fc
    .tuple(fc.noShrink(fc.nat()), fc.nat({ max: options.tries ?? 12 }))
    .map(([seed, tries]) => drawModule(createDraw(seed), { ...options, tries }));
}

function drawModule(draw: DrawInteger, { tries = 12, operators, labels: allowed = labels }: ModuleOptions): Module {
  const builder = createBuilder("drawn", "import");
  const pool: Record<"f32" | "bool" | "index", ValueId[]> = { f32: [], bool: [], index: [] };
  const kindOf = (element: PlainElement): "f32" | "bool" => (element.kind === "bool" ? "bool" : "f32");
  pool.index.push(builder.input(indexInput, { label: "public", element: i64, shape: [2, 1] }));
  pool.bool.push(builder.input("flags", { label: choose(draw, allowed), element: bool, shape: [2, 3] }));
  for (let n = draw(3) + 2; n > 0; n--) {
    const type = { label: choose(draw, allowed), element: f32, shape: choose(draw, inputShapes) };
    const asParam = flip(draw);
    pool.f32.push(asParam ? builder.param(`w${n}`, type, `weights/${n}`) : builder.input(`x${n}`, type));
  }
  const defs = [...registry.values()].filter(({ name }) =>
    operators ? operators.includes(name) : !secureStages.has(name),
  );
  for (let n = 0; n < tries; n++) {
    const def = choose(draw, defs);
    const names = def.operands.filter((operand) => !operand.endsWith("?") || flip(draw));
    const operands = names.map((_, index) => choose(draw, pool[operandKinds[def.name]?.[index] ?? "f32"]));
    const shapes = operands.map((id) => builder.type(id).shape);
    const attrs = drawAttrs(draw, def, shapes);
    try {
      if (sizeOf(def.shape(shapes, attrs)) > largest) continue;
    } catch {
      continue;
    }
    const result = builder.op(def.name, operands, attrs, { origin: flip(draw) ? `/drawn/${n}` : "" });
    const { element } = builder.type(result);
    if (element.kind !== "fx" && element.kind !== "i64") pool[kindOf(element)].push(result);
    if (n % 4 === 3) builder.output(result);
  }
  builder.output(pool.f32.at(-1)!);
  return builder.finish();
}
