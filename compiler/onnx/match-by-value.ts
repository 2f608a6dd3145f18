import { createHash } from "node:crypto";
import { sizeOf } from "../../ir/type.ts";
import type { Tensor } from "../../ir/weights.ts";
import { readSafetensor, type Safetensors } from "../weights/safetensors.ts";
import type { OnnxModel } from "./records.ts";
import { readTensor, transpose } from "./tensor-data.ts";
import type { RecoveredName } from "./weight-names.ts";

/** Named tensors that are read one at a time: a model's initializers, or a file of weights. */
export interface TensorSet {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly read: (name: string) => Tensor;
}

export interface ValueMatches {
  readonly names: ReadonlyMap<string, RecoveredName>;
  /** Initializers with equal numbers under several names of the base: tied weights, or norms that are all one. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>;
}

export function tensorsOfModel(model: OnnxModel): TensorSet {
  const { initializers } = model.graph;
  const shapes = new Map([...initializers].map(([name, tensor]) => [name, tensor.dims]));
  return { shapes, read: (name) => readTensor(model, initializers.get(name)!) };
}

export function tensorsOfSafetensors(store: Safetensors): TensorSet {
  const shapes = new Map([...store.entries].map(([name, entry]) => [name, entry.shape]));
  return { shapes, read: (name) => readSafetensor(store, name) };
}

/**
 * Names by equal numbers: W or its transpose, bit for bit once both are doubles. A base in bfloat16 matches an export
 * in float32, which holds every bfloat16; an export that rounded matches nothing.
 */
export function matchByValue(model: TensorSet, base: TensorSet): ValueMatches {
  const wanted = new Set([...model.shapes].filter(([, shape]) => isWeight(shape)).map(([, shape]) => sizeOf(shape)));
  const byDigest = new Map<string, { readonly name: string; readonly transposed: boolean }[]>();
  for (const [name, shape] of base.shapes) {
    if (!isWeight(shape) || !wanted.has(sizeOf(shape))) continue;
    const value = base.read(name);
    const digests = new Map([[digest(value), false]]);
    if (shape.length === 2) {
      const turned = digest(transpose(value));
      // A symmetric matrix is its own transpose: it counts once, as it is.
      if (!digests.has(turned)) digests.set(turned, true);
    }
    for (const [key, transposed] of digests) byDigest.set(key, [...(byDigest.get(key) ?? []), { name, transposed }]);
  }
  const names = new Map<string, RecoveredName>();
  const ambiguous = new Map<string, readonly string[]>();
  for (const [initializer, shape] of model.shapes) {
    if (!isWeight(shape)) continue;
    const hits = byDigest.get(digest(model.read(initializer))) ?? [];
    if (hits.length === 1) names.set(initializer, { ...hits[0]!, how: "value" });
    else if (hits.length > 1) ambiguous.set(initializer, hits.map((hit) => hit.name).sort());
  }
  return { names, ambiguous };
}

/** Scalars and single numbers match everywhere and mean nothing. */
function isWeight(shape: readonly number[]): boolean {
  return sizeOf(shape) > 1;
}

function digest(tensor: Tensor): string {
  const { buffer, byteOffset, byteLength } = tensor.data;
  const hash = createHash("sha256").update(`${tensor.shape.join("x")}:`);
  return hash.update(new Uint8Array(buffer, byteOffset, byteLength)).digest("hex");
}
