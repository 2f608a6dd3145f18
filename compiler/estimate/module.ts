import type { Label } from "../../ir/label.ts";
import type { ValueId } from "../../ir/module.ts";
import { f32 } from "../../ir/type.ts";
import type { Cut, SplitState } from "../../passes/pass.ts";
import { architectures, type ShapeName } from "./architectures.ts";
import { type Angles, attend, rotary } from "./attention.ts";
import { at, createKit, type Kit, type ShapeOptions } from "./kit.ts";
import { dense, projection } from "./linear.ts";
import { layerLabel } from "./ownership.ts";

/**
 * The secure part of a known architecture, as 1-split would leave it: it starts behind what the client computes alone.
 * Weights have shapes and no numbers. The last part of an op's origin says what kind of value it makes (ranges.ts).
 */
export function shapeState(name: ShapeName, options: ShapeOptions): SplitState {
  const arch = architectures[name];
  const kit = createKit(name, arch, options);
  const { builder, weights } = kit;
  const { value, cut } = entrance(kit);
  const angles = arch.position === "rotary" ? rotary(kit) : undefined;
  const first = arch.layers - secureLayers(name, options);
  const last = first + (options.layers ?? arch.layers - first);
  let x = value;
  for (let layer = first; layer < last; layer++) x = block(kit, `layers.${layer}`, x, angles);
  builder.output(exit(kit, x));
  const client = { inputs: [], cuts: [cut], outputs: [], tails: [] };
  return { module: builder.finish(), weights, client, sources: new Map() };
}

/** Layers that are not frozen. */
export function secureLayers(name: ShapeName, options: Pick<ShapeOptions, "private">): number {
  const { layers } = architectures[name];
  return layers - Math.floor(options.private.frozen * layers);
}

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

function feed(kit: Kit, layer: string, x: ValueId): ValueId {
  const { arch, builder } = kit;
  const { op } = builder;
  const inner = projection(kit, layer, "pre-activation", x, arch.inner);
  if (arch.activation === "gelu") {
    const active = op("gelu", [inner], {}, at(layer, "activated"));
    return projection(kit, layer, "fed", active, arch.hidden);
  }
  const up = projection(kit, layer, "up", x, arch.inner);
  const active = op("silu", [inner], {}, at(layer, "activated"));
  return projection(kit, layer, "fed", op("mul", [active, up], {}, at(layer, "gated")), arch.hidden);
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
