import { type Builder, createBuilder } from "../../ir/builder.ts";
import type { Label } from "../../ir/label.ts";
import type { ValueId } from "../../ir/module.ts";
import { shapeOnlyTensor, type Tensor } from "../../ir/tensor.ts";
import { f32, type Shape } from "../../ir/type.ts";
import type { ArchitectureOwnership } from "./architecture-ownership.ts";
import type { Architecture } from "./architectures.ts";

export interface ArchitectureOptions {
  /** Places of the input; decoding handles one place and ignores it. */
  readonly sequenceLength: number;
  readonly phase: "prefill" | "decode";
  /** Decoding: places whose keys and values are kept from earlier queries. */
  readonly contextLength?: number;
  /** How keys and values are kept: as opened wires, ours; or as shares, as systems keep them that have no wires. */
  readonly cacheForm?: "wires" | "shares";
  readonly ownership: ArchitectureOwnership;
  /** So many heads of the layers that are not frozen share a softmax. Default: 1. */
  readonly mergedHeads?: number;
  /** Heads, merged ones, that one operator of attention has; the others stand beside it, in its rounds. Default: all. */
  readonly headsPerOp?: number;
  /** Of the layers that are not frozen only the first so many: what all of them cost follows from two such counts. */
  readonly layerLimit?: number;
  /** Numbers of a weight, for a shape that is run; absent: weights have shapes alone. */
  readonly weightValues?: (shape: Shape) => Tensor;
}

/** What the parts of an architecture are built with. */
export interface ArchitectureBuilder {
  readonly arch: Architecture;
  readonly options: ArchitectureOptions;
  readonly builder: Builder;
  /** Places of this query. */
  readonly positions: number;
  /** A weight that a model would have numbers for. */
  readonly weight: (id: string, shape: Shape, label: Label) => ValueId;
  /** Numbers that everybody knows. */
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

/** Keys and values of the places before: input ids that hold this part name them (ranges.ts, traffic.ts). */
export const cacheInfix = ".kept.";

/** Where a value stands; the last part of an origin says what kind of value it is (ranges.ts). */
export const nodeNames = (layer: string, kind: string): { origin: string; result: string } => ({
  origin: `/${layer}/${kind}`,
  result: `${layer}.${kind}`,
});
