import { slice } from "../../ir/ops/slice.ts";
import type { TypedTensor } from "../tensors/index.ts";

export type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** Tensors between the client's layers and the secure part, and along which axis they have the places. */
export type PositionAxes = ReadonlyMap<string, number>;

/** Rows from…to of the window. */
export type PositionRange = readonly [from: number, to: number];

/** The client's own layers, before the secure part and behind it: over the window, or row by row. */
export interface ClientLayers {
  /** What they give for these rows; those up to `keep` are kept for later ones. */
  readonly runBefore: (
    inputs: NamedTensors,
    rows: PositionRange,
    keep: number,
    axes: PositionAxes,
  ) => Promise<NamedTensors>;
  /** Outputs from what was revealed of these rows. */
  readonly runAfter: (revealed: NamedTensors, rows: PositionRange, axes: PositionAxes) => Promise<NamedTensors>;
  readonly release: () => Promise<void>;
}

/** Rows from…to along an axis. */
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
