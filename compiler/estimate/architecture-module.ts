import type { Label } from "../../ir/label.ts";
import type { ValueId } from "../../ir/module.ts";
import { f32 } from "../../ir/type.ts";
import type { ClientCut, SplitState } from "../../passes/pass.ts";
import {
  type ArchitectureBuilder,
  type ArchitectureOptions,
  createArchitectureBuilder,
  nodeNames,
} from "./architecture-builder.ts";
import { privateLayerLabel } from "./architecture-ownership.ts";
import { type ArchitectureName, architectures } from "./architectures.ts";
import { attentionBlock, type RotaryTables, rotaryTables } from "./attention-block.ts";
import { denseLayer, projection } from "./linear-layers.ts";

/**
 * Builds the secure part of a known architecture as 1-split leaves it: it starts behind the client's own layers. Weights
 * are meta tensors. The last part of an op's origin is the kind of its result (assumed-ranges.ts).
 */
export function architectureState(name: ArchitectureName, options: ArchitectureOptions): SplitState {
  const arch = architectures[name];
  const kit = createArchitectureBuilder(name, arch, options);
  const { builder, weights } = kit;
  const { value, cut } = inputBlock(kit);
  const angles = arch.position === "rotary" ? rotaryTables(kit) : undefined;
  const first = arch.layers - privateLayerCount(name, options);
  const last = first + (options.layerLimit ?? arch.layers - first);
  let x = value;
  for (let layer = first; layer < last; layer++) x = transformerBlock(kit, `layers.${layer}`, x, angles);
  builder.output(outputBlock(kit, x));
  const client = { inputs: [], cuts: [cut], outputs: [], tails: [] };
  return { module: builder.finish(), weights, client, sources: new Map() };
}

/** Number of layers that are not frozen. */
export function privateLayerCount(name: ArchitectureName, options: Pick<ArchitectureOptions, "ownership">): number {
  const { layers } = architectures[name];
  return layers - Math.floor(options.ownership.frozenFraction * layers);
}

/** One-hot rows times a private embedding, or the hidden state that the client computed from public weights. */
function inputBlock({ arch, options, builder, positions, weight }: ArchitectureBuilder): {
  readonly value: ValueId;
  readonly cut: ClientCut;
} {
  const { hidden, vocabulary } = arch;
  const { op, input } = builder;
  if (!options.ownership.privateEmbedding) {
    const id = input("hidden", { label: "client", element: f32, shape: [1, positions, hidden] });
    return { value: op("share", [id], {}, nodeNames("elsewhere", "residual")), cut: { value: id, source: id } };
  }
  const shape = [1, positions, vocabulary];
  const id = input("tokens", { label: "client", element: f32, shape }, { lo: 0, hi: 1 });
  const cut = { value: id, source: "tokens", oneHot: vocabulary };
  const where = nodeNames("embedding", "embedding");
  const rows = op("share", [id], {}, nodeNames("embedding", "tokens"));
  const words = op("matmul", [rows, weight("embedding.words", [vocabulary, hidden], "server")], {}, where);
  if (arch.position === "rotary") return { value: words, cut };
  const sum = op("add", [words, weight("embedding.positions", [1, positions, hidden], "server")], {}, where);
  if (arch.normPlacement === "pre") return { value: sum, cut };
  return { value: normLayer({ arch, builder, weight }, "embedding", "norm", sum, "server"), cut };
}

/** A norm with its weight and bias. */
function normLayer(
  { arch, builder, weight }: Pick<ArchitectureBuilder, "arch" | "builder" | "weight">,
  layer: string,
  name: string,
  x: ValueId,
  label: Label,
): ValueId {
  const where = nodeNames(layer, "normed");
  const normed = builder.op(arch.norm, [x], { epsilon: 1e-5 }, nodeNames(layer, name));
  const scaled = builder.op("mul", [normed, weight(`${layer}.${name}.gain`, [arch.hidden], label)], {}, where);
  if (arch.norm === "rms-norm") return scaled;
  return builder.op("add", [scaled, weight(`${layer}.${name}.bias`, [arch.hidden], label)], {}, where);
}

function transformerBlock(
  kit: ArchitectureBuilder,
  layer: string,
  x: ValueId,
  angles: RotaryTables | undefined,
): ValueId {
  const { op } = kit.builder;
  const label = privateLayerLabel(kit.options.ownership);
  const sum = (a: ValueId, b: ValueId): ValueId => op("add", [a, b], {}, nodeNames(layer, "residual"));
  if (kit.arch.normPlacement === "post") {
    const middle = normLayer(kit, layer, "norm", sum(x, attentionBlock(kit, layer, x, angles)), label);
    return normLayer(kit, layer, "norm2", sum(middle, feedForwardBlock(kit, layer, middle)), label);
  }
  const middle = sum(x, attentionBlock(kit, layer, normLayer(kit, layer, "norm", x, label), angles));
  return sum(middle, feedForwardBlock(kit, layer, normLayer(kit, layer, "norm2", middle, label)));
}

function feedForwardBlock(kit: ArchitectureBuilder, layer: string, x: ValueId): ValueId {
  const { arch, builder } = kit;
  const { op } = builder;
  const inner = projection(kit, layer, "pre-activation", x, arch.feedForward);
  if (arch.activation === "gelu") {
    const active = op("gelu", [inner], {}, nodeNames(layer, "activated"));
    return projection(kit, layer, "fed", active, arch.hidden);
  }
  const up = projection(kit, layer, "up", x, arch.feedForward);
  const active = op("silu", [inner], {}, nodeNames(layer, "activated"));
  return projection(kit, layer, "fed", op("mul", [active, up], {}, nodeNames(layer, "gated")), arch.hidden);
}

/** The output of the one position that the client queries, revealed to it. */
function outputBlock(kit: ArchitectureBuilder, x: ValueId): ValueId {
  const { arch, positions, builder, weight, options } = kit;
  const { op } = builder;
  const from = arch.head === "logits" ? positions - 1 : 0;
  const lastPosition = { starts: [0, from, 0], ends: [1, from + 1, arch.hidden], steps: [1, 1, 1] };
  const queried = op("slice", [x], lastPosition, nodeNames("head", "residual"));
  const label = privateLayerLabel(options.ownership);
  const to = (id: ValueId): ValueId => op("reveal", [id], { to: "client" }, nodeNames("head", "revealed"));
  if (arch.head !== "logits") {
    const pooled = op(
      "tanh",
      [denseLayer(kit, "head", "pooled", queried, arch.hidden)],
      {},
      nodeNames("head", "pooled"),
    );
    return to(denseLayer(kit, "head", "logits", pooled, arch.head.classes));
  }
  const last = normLayer(kit, "head", "norm", queried, label);
  // A public head runs at the client, after the reveal (2-rewrite, relocate-head).
  if (label === "public") return to(last);
  const head = weight("head.logits", [arch.hidden, arch.vocabulary], label);
  return to(op("matmul", [last, head], {}, nodeNames("head", "logits")));
}
