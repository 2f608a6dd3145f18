import { type Builder, createBuilder } from "../../ir/builder.ts";
import type { Label } from "../../ir/label.ts";
import type { ValueId } from "../../ir/module.ts";
import { shapeOnlyTensor, type Tensor } from "../../ir/tensor.ts";
import { f32, type Shape } from "../../ir/type.ts";
import type { ArchitectureOwnership } from "./architecture-ownership.ts";
import type { Architecture } from "./architectures.ts";

export interface ArchitectureOptions {
  /** Sequence length of the input; decoding computes one position and ignores it. */
  readonly sequenceLength: number;
  readonly phase: "prefill" | "decode";
  /** Decoding: the number of positions whose keys and values are cached. */
  readonly contextLength?: number;
  /** How keys and values are cached: as masked values, as here, or as shares, as in systems without masked values. */
  readonly cacheForm?: "wires" | "shares";
  readonly ownership: ArchitectureOwnership;
  /** Number of heads, in layers that are not frozen, that share a softmax. Default: 1. */
  readonly mergedHeads?: number;
  /** Number of (merged) heads per attention operator; operators side by side share rounds. Default: all. */
  readonly headsPerOp?: number;
  /** Limit on the layers that are not frozen: the cost of all of them follows from two such counts. */
  readonly layerLimit?: number;
  /** Values of a weight, for an architecture that runs; absent: weights are meta tensors. */
  readonly weightValues?: (shape: Shape) => Tensor;
}

/** Shared state of the functions that build parts of an architecture. */
export interface ArchitectureBuilder {
  readonly arch: Architecture;
  readonly options: ArchitectureOptions;
  readonly builder: Builder;
  /** Number of positions that the query computes. */
  readonly positions: number;
  /** Adds a weight. */
  readonly weight: (id: string, shape: Shape, label: Label) => ValueId;
  /** Adds a public constant with values. */
  readonly table: (id: string, value: Tensor) => ValueId;
}

export function createArchitectureBuilder(
  name: string,
  arch: Architecture,
  options: ArchitectureOptions,
): ArchitectureBuilder & { readonly weights: ReadonlyMap<string, Tensor> } {
  const builder = createBuilder(name, "split");
  const weights = new Map<string, Tensor>();
  const param = (id: string, value: Tensor, label: Label): ValueId => {
    weights.set(id, value);
    return builder.param(id, { label, element: f32, shape: value.shape }, id);
  };
  return {
    arch,
    options,
    builder,
    weights,
    positions: options.phase === "decode" ? 1 : options.sequenceLength,
    weight: (id, shape, label) => param(id, (options.weightValues ?? shapeOnlyTensor)(shape), label),
    table: (id, value) => param(id, value, "public"),
  };
}

/** Marks input ids of cached keys and values (assumed-ranges.ts and count-traffic.ts read it). */
export const cacheInfix = ".kept.";

/** Origin and id of a value; the last part of the origin is the kind of the value (assumed-ranges.ts). */
export const nodeNames = (layer: string, kind: string): { origin: string; result: string } => ({
  origin: `/${layer}/${kind}`,
  result: `${layer}.${kind}`,
});
