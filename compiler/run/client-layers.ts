import { slice } from "../../ir/ops/slice.ts";
import type { TypedTensor } from "../tensors/index.ts";

export type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** The position axis of each tensor between the client's layers and the secure part. */
export type PositionAxes = ReadonlyMap<string, number>;

/** Positions from…to of the context; `to` is exclusive. */
export type PositionRange = readonly [from: number, to: number];

/** The client's own layers, before and after the secure part: over the full context, or row by row. */
export interface ClientLayers {
  /** Computes the cut tensors of these rows; keys and values up to `keep` are cached for later rows. */
  readonly runBefore: (
    inputs: NamedTensors,
    rows: PositionRange,
    keep: number,
    axes: PositionAxes,
  ) => Promise<NamedTensors>;
  /** Computes the outputs of these rows from what was revealed. */
  readonly runAfter: (revealed: NamedTensors, rows: PositionRange, axes: PositionAxes) => Promise<NamedTensors>;
  readonly release: () => Promise<void>;
}

/** Slices rows from…to along an axis. */
export function slicePositions(
  { dtype, tensor: x }: TypedTensor,
  axis: number,
  [from, to]: PositionRange,
): TypedTensor {
  const rows = slice.evaluate([x], {
    starts: x.shape.map((_, at) => (at === axis ? from : 0)),
    ends: x.shape.map((size, at) => (at === axis ? to : size)),
    steps: x.shape.map(() => 1),
  });
  return { dtype, tensor: rows };
}
