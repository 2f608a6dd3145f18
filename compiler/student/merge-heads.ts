import type { OnnxNode } from "../onnx/format/index.ts";
import type { Dtype } from "../tensors/index.ts";
import type { AttentionCore, CoreInput } from "./attention-core.ts";
import type { AttentionSite } from "./attention-sites.ts";
import type { ModelPatch } from "./model-patch.ts";
import { createNodeWriter, type NodeWriter, nodeScope } from "./node-writer.ts";

export interface MergePlan {
  readonly site: AttentionSite;
  readonly core: AttentionCore;
  /** Neighbouring heads that merge into one. */
  readonly size: number;
  /** Factor on the merged scores. */
  readonly scale: number;
  /** Element type of queries. */
  readonly dtype: Dtype;
}

/**
 * m neighbouring heads become one of m-fold depth, after everything that is done per head (position embeddings, norms):
 *
 *   scores = s · [Q₁|…|Qₘ]·[K₁|…|Kₘ]ᵀ = s · Σ Qᵢ·Kᵢᵀ,   one softmax,   times [V₁|…|Vₘ]
 *
 * Parameters and products stay; there are m times fewer softmaxes and scores. With G < H key heads, m key heads merge,
 * and with them the r-th of the R = H/G queries of each. Heads that share keys are not merged with each other, because
 * Q₁·Kᵀ + Q₂·Kᵀ = (Q₁ + Q₂)·Kᵀ would be one head. The result is a different function: the model must be tuned for it.
 */
export function mergeHeadsPatch({ site, core, size, scale, dtype }: MergePlan): ModelPatch {
  const { heads, keyHeads, depth, name } = site;
  const write = createNodeWriter(nodeScope(name, "merged"));
  const shape: MergeSizes = { groups: keyHeads / size, size, sharedBy: heads / keyHeads, depth };
  const q = mergeAxis(write, core.q.tensor, shape);
  const factored = core.q.scalings.reduce((x, { op, factor: by }) => write.add(op, [x, by]), q);
  const factor = scale / site.scale;
  const query =
    Math.abs(factor - 1) < 1e-12 || !core.scores ? factored : write.add("Mul", [factored, write.number(factor, dtype)]);
  const keys = mergedInput(write, core.k, shape, core.scores ? "keys" : "fused");
  const values = mergedInput(write, core.v, shape, core.scores ? "values" : "fused");
  const before = [...write.nodes];
  const result = core.end.outputs[0]!;
  const inner = `${nodeScope(name, "merged")}/result`;
  const back = createNodeWriter(nodeScope(name, "parted"));
  splitAxis(back, inner, result, shape);
  const end = core.end.outputs[0]!;
  const common = {
    after: new Map([[end, back.nodes]]),
    tensors: new Map([...write.tensors, ...back.tensors]),
    reshaped: new Set([result, ...core.middle.flatMap(({ outputs }) => outputs)]),
  };
  if (core.scores) {
    return {
      ...common,
      before: new Map([[core.scores.outputs[0]!, before]]),
      inputs: new Map([
        [core.scores.outputs[0]!, [query, keys]],
        [end, [core.end.inputs[0]!, values]],
      ]),
      outputs: new Map([[end, [inner]]]),
      replaced: new Map(),
    };
  }
  const attention: OnnxNode = {
    ...core.end,
    inputs: [query, keys, values, ...core.end.inputs.slice(3)],
    outputs: [inner],
    attributes: new Map([...core.end.attributes, ["scale", { kind: "float", value: scale }]]),
  };
  return {
    ...common,
    before: new Map([[end, before]]),
    inputs: new Map(),
    outputs: new Map(),
    replaced: new Map([[end, attention]]),
  };
}

interface MergeSizes {
  /** Merged key heads. */
  readonly groups: number;
  readonly size: number;
  /** Query heads per key head. */
  readonly sharedBy: number;
  readonly depth: number;
}

/** [B, parts·size·per, T, D] to [B, parts·per, T, size·D]: 0 keeps a size, −1 takes the rest. */
function mergeAxis(write: NodeWriter, tensor: string, { groups, size, sharedBy, depth }: MergeSizes): string {
  const inner = sharedBy === 1 ? [0, groups, size, -1, depth] : [0, groups, size, sharedBy, -1, depth];
  const perm = sharedBy === 1 ? [0, 1, 3, 2, 4] : [0, 1, 3, 4, 2, 5];
  const split = write.add("Reshape", [tensor, write.ints(inner)]);
  const turned = write.add("Transpose", [split], { perm });
  return write.add("Reshape", [turned, write.ints([0, groups * sharedBy, -1, size * depth])]);
}

/** The inverse: [B, parts·per, T, size·D] to [B, parts·size·per, T, D]. */
function splitAxis(
  write: NodeWriter,
  tensor: string,
  result: string,
  { groups, size, sharedBy, depth }: MergeSizes,
): void {
  const inner = sharedBy === 1 ? [0, groups, -1, size, depth] : [0, groups, sharedBy, -1, size, depth];
  const perm = sharedBy === 1 ? [0, 1, 3, 2, 4] : [0, 1, 4, 2, 3, 5];
  const split = write.add("Reshape", [tensor, write.ints(inner)]);
  const turned = write.add("Transpose", [split], { perm });
  write.add("Reshape", [turned, write.ints([0, groups * size * sharedBy, -1, depth])], {}, result);
}

/**
 * Keys or values merged and repeated for the queries of their group, keys transposed; a fused Attention does both
 * itself.
 */
function mergedInput(
  write: NodeWriter,
  { tensor, transposed, scalings }: CoreInput,
  sizes: MergeSizes,
  what: "keys" | "values" | "fused",
): string {
  const { groups, size, sharedBy, depth } = sizes;
  const rows = transposed ? write.add("Transpose", [tensor], { perm: [0, 1, 3, 2] }) : tensor;
  const joined = mergeAxis(write, rows, { ...sizes, sharedBy: 1 });
  const repeated =
    sharedBy === 1 || what === "fused" ? joined : repeatGroups(write, joined, groups, sharedBy, size * depth);
  const back = what === "keys" ? write.add("Transpose", [repeated], { perm: [0, 1, 3, 2] }) : repeated;
  return scalings.reduce((x, { op, factor }) => write.add(op, [x, factor]), back);
}

function repeatGroups(write: NodeWriter, tensor: string, parts: number, per: number, depth: number): string {
  const single = write.add("Reshape", [tensor, write.ints([0, parts, 1, -1, depth])]);
  const wide = write.add("Expand", [single, write.ints([1, 1, per, 1, 1])]);
  return write.add("Reshape", [wide, write.ints([0, parts * per, -1, depth])]);
}
