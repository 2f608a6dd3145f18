import { type Builder, createBuilder } from "../../ir/build.ts";
import type { Label } from "../../ir/label.ts";
import type { Attrs, ValueId } from "../../ir/module.ts";
import { f32, type Shape, sizeOf } from "../../ir/type.ts";
import { type Tensor, tensor, withoutNumbers } from "../../ir/weights.ts";
import type { Cut, SplitState } from "../../passes/pass.ts";
import { type Architecture, architectures, type ShapeName } from "./architectures.ts";
import { layerLabel, type ShapeOwnership } from "./ownership.ts";

export interface ShapeOptions {
  /** Places of the input; decoding handles one place and ignores it. */
  readonly seq: number;
  readonly phase: "prefill" | "decode";
  /** Decoding: places whose keys and values are kept from earlier queries. */
  readonly context?: number;
  readonly private: ShapeOwnership;
}

interface Kit {
  readonly arch: Architecture;
  readonly options: ShapeOptions;
  readonly builder: Builder;
  /** Places of this query. */
  readonly places: number;
  readonly weight: (id: string, shape: Shape, label: Label) => ValueId;
  readonly table: (id: string, value: Tensor) => ValueId;
}

/**
 * The secure part of a known architecture, as 1-split would leave it: it starts behind what the client computes alone.
 * Weights have shapes and no numbers. The last part of an op's origin says what kind of value it makes (ranges.ts).
 */
export function shapeState(name: ShapeName, options: ShapeOptions): SplitState {
  const arch = architectures[name];
  const builder = createBuilder(name, "split");
  const weights = new Map<string, Tensor>();
  const param = (id: string, value: Tensor, label: Label): ValueId => {
    weights.set(id, value);
    return builder.param(id, { label, element: f32, shape: value.shape }, id);
  };
  const kit: Kit = {
    arch,
    options,
    builder,
    places: options.phase === "decode" ? 1 : options.seq,
    weight: (id, shape, label) => param(id, withoutNumbers(shape), label),
    table: (id, value) => param(id, value, "public"),
  };
  const { value, cut } = entrance(kit);
  const angles = arch.position === "rotary" ? rotary(kit) : undefined;
  const first = Math.floor(options.private.frozen * arch.layers);
  let x = value;
  for (let layer = first; layer < arch.layers; layer++) x = block(kit, `layers.${layer}`, x, angles);
  builder.output(exit(kit, x));
  const client = { inputs: [], cuts: [cut], outputs: [], tails: [] };
  return { module: builder.finish(), weights, client, sources: new Map() };
}

const at = (layer: string, kind: string): { origin: string; result: string } => ({
  origin: `/${layer}/${kind}`,
  result: `${layer}.${kind}`,
});

/** One-hot rows times a private table, or what the client has computed from public weights. */
function entrance({ arch, options, builder, places, weight }: Kit): { readonly value: ValueId; readonly cut: Cut } {
  const { hidden, vocabulary } = arch;
  const { op, input } = builder;
  if (!options.private.embedding) {
    const id = input("hidden", { label: "client", element: f32, shape: [1, places, hidden] });
    return { value: op("share", [id], {}, at("elsewhere", "residual")), cut: { value: id, source: id } };
  }
  const shape = [1, places, vocabulary];
  const id = input("tokens", { label: "client", element: f32, shape }, { lo: 0, hi: 1 });
  const cut = { value: id, source: "tokens", oneHot: vocabulary };
  const where = at("embedding", "embedding");
  const rows = op("share", [id], {}, at("embedding", "tokens"));
  const words = op("matmul", [rows, weight("embedding.words", [vocabulary, hidden], "server")], {}, where);
  if (arch.position === "rotary") return { value: words, cut };
  const sum = op("add", [words, weight("embedding.positions", [1, places, hidden], "server")], {}, where);
  if (arch.placement === "pre") return { value: sum, cut };
  return { value: norm({ arch, builder, weight }, "embedding", "norm", sum, "server"), cut };
}

/** The normed value with its gain and bias. */
function norm(
  { arch, builder, weight }: Pick<Kit, "arch" | "builder" | "weight">,
  layer: string,
  name: string,
  x: ValueId,
  label: Label,
): ValueId {
  const where = at(layer, "normed");
  const normed = builder.op(arch.norm, [x], { epsilon: 1e-5 }, at(layer, name));
  const gained = builder.op("mul", [normed, weight(`${layer}.${name}.gain`, [arch.hidden], label)], {}, where);
  if (arch.norm === "rms-norm") return gained;
  return builder.op("add", [gained, weight(`${layer}.${name}.bias`, [arch.hidden], label)], {}, where);
}

function dense(kit: Kit, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const { builder, weight, arch, options } = kit;
  const label = layerLabel(options.private);
  const from = builder.type(x).shape.at(-1)!;
  const where = at(layer, kind);
  const product = builder.op("matmul", [x, weight(`${layer}.${kind}`, [from, to], label)], {}, where);
  if (!arch.bias) return product;
  return builder.op("add", [product, weight(`${layer}.${kind}.bias`, [to], label)], {}, where);
}

/** A product with a private adapter beside it, where there are adapters. */
function adapted(kit: Kit, layer: string, kind: string, x: ValueId, to: number): ValueId {
  const own = dense(kit, layer, kind, x, to);
  const rank = kit.options.private.adapterRank;
  if (rank === undefined) return own;
  const { op } = kit.builder;
  const a = kit.weight(`${layer}.${kind}.A`, [kit.arch.hidden, rank], "server");
  const b = kit.weight(`${layer}.${kind}.B`, [rank, to], "server");
  const low = op("matmul", [x, a], {}, at(layer, "low-rank"));
  return op("add", [own, op("matmul", [low, b], {}, at(layer, kind))], {}, at(layer, kind));
}

interface Angles {
  readonly cos: ValueId;
  readonly sin: ValueId;
}

/** Public tables of the places' rotations, the same for every layer (Su et al., 2021). */
function rotary({ arch, options, places, table }: Kit): Angles {
  const depth = arch.hidden / arch.heads;
  const shape = [1, 1, places, depth];
  const from = options.phase === "decode" ? options.context! : 0;
  const angle = (index: number): number =>
    (from + Math.floor(index / depth)) * 10000 ** ((-2 * (index % (depth / 2))) / depth);
  const of = (f: (x: number) => number): Tensor =>
    tensor(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, index) => f(angle(index))),
    );
  return { cos: table("cos", of(Math.cos)), sin: table("sin", of(Math.sin)) };
}

function block(kit: Kit, layer: string, x: ValueId, angles: Angles | undefined): ValueId {
  const { op } = kit.builder;
  const label = layerLabel(kit.options.private);
  const sum = (a: ValueId, b: ValueId): ValueId => op("add", [a, b], {}, at(layer, "residual"));
  if (kit.arch.placement === "post") {
    const middle = norm(kit, layer, "norm", sum(x, attend(kit, layer, x, angles)), label);
    return norm(kit, layer, "norm2", sum(middle, feed(kit, layer, middle)), label);
  }
  const middle = sum(x, attend(kit, layer, norm(kit, layer, "norm", x, label), angles));
  return sum(middle, feed(kit, layer, norm(kit, layer, "norm2", middle, label)));
}

function attend(kit: Kit, layer: string, x: ValueId, angles: Angles | undefined): ValueId {
  const { arch, places, builder, options } = kit;
  const { op } = builder;
  const depth = arch.hidden / arch.heads;
  const apart = (kind: string, value: ValueId, heads: number): ValueId => {
    const rows = op("reshape", [value], { shape: [1, places, heads, depth] }, at(layer, kind));
    return op("transpose", [rows], { perm: [0, 2, 1, 3] }, at(layer, kind));
  };
  const turned = (kind: string, value: ValueId): ValueId =>
    angles ? op("rope", [value, angles.cos, angles.sin], {}, at(layer, kind)) : value;
  const width = arch.keyHeads * depth;
  const q = turned("query", apart("query", adapted(kit, layer, "query", x, arch.hidden), arch.heads));
  const k = turned("key", apart("key", dense(kit, layer, "key", x, width), arch.keyHeads));
  const v = apart("value", adapted(kit, layer, "value", x, width), arch.keyHeads);
  const attrs: Attrs = { scale: 1 / Math.sqrt(depth), causal: arch.causal };
  const kept = (kind: string): ValueId =>
    builder.input(`${layer}.kept.${kind}`, {
      label: "shared",
      element: f32,
      shape: [1, arch.keyHeads, options.context!, depth],
      sharing: "wire",
    });
  const mixed =
    options.phase === "decode"
      ? op("cached-attention", [q, k, v, kept("key"), kept("value")], attrs, at(layer, "attended"))
      : op("attention", [q, k, v], attrs, at(layer, "attended"));
  const side = op("transpose", [mixed], { perm: [0, 2, 1, 3] }, at(layer, "attended"));
  const merged = op("reshape", [side], { shape: [1, places, arch.hidden] }, at(layer, "attended"));
  return dense(kit, layer, "projected", merged, arch.hidden);
}

function feed(kit: Kit, layer: string, x: ValueId): ValueId {
  const { arch, builder } = kit;
  const { op } = builder;
  const inner = dense(kit, layer, "pre-activation", x, arch.inner);
  if (arch.activation === "gelu") {
    const active = op("gelu", [inner], {}, at(layer, "activated"));
    return dense(kit, layer, "fed", active, arch.hidden);
  }
  const up = dense(kit, layer, "up", x, arch.inner);
  const active = op("silu", [inner], {}, at(layer, "activated"));
  return dense(kit, layer, "fed", op("mul", [active, up], {}, at(layer, "gated")), arch.hidden);
}

/** The one place that the client asks about, and what it learns of it. */
function exit(kit: Kit, x: ValueId): ValueId {
  const { arch, places, builder, weight, options } = kit;
  const { op } = builder;
  const from = arch.head === "logits" ? places - 1 : 0;
  const place = { starts: [0, from, 0], ends: [1, from + 1, arch.hidden], steps: [1, 1, 1] };
  const one = op("slice", [x], place, at("head", "residual"));
  const label = layerLabel(options.private);
  const to = (id: ValueId): ValueId => op("reveal", [id], { to: "client" }, at("head", "revealed"));
  if (arch.head !== "logits") {
    const pooled = op("tanh", [dense(kit, "head", "pooled", one, arch.hidden)], {}, at("head", "pooled"));
    return to(dense(kit, "head", "logits", pooled, arch.head.classes));
  }
  const last = norm(kit, "head", "norm", one, label);
  // A public head runs at the client, behind the reveal (2-rewrite, relocate-head).
  if (label === "public") return to(last);
  const head = weight("head.logits", [arch.hidden, arch.vocabulary], label);
  return to(op("matmul", [last, head], {}, at("head", "logits")));
}
