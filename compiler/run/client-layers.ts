import { slice } from "../../ir/ops/slice.ts";
import type { TypedTensor } from "../tensors/index.ts";

export type Tensors = ReadonlyMap<string, TypedTensor>;

/** Tensors between the client's layers and the secure part, and along which axis they have the places. */
export type Axes = ReadonlyMap<string, number>;

/** Rows from…to of the window. */
export type Rows = readonly [from: number, to: number];

/** The client's own layers, before the secure part and behind it: over the window, or row by row. */
export interface ClientLayers {
  /** What they give for these rows; those up to `keep` are kept for later ones. */
  readonly before: (inputs: Tensors, rows: Rows, keep: number, axes: Axes) => Promise<Tensors>;
  /** Outputs from what was revealed of these rows. */
  readonly after: (revealed: Tensors, rows: Rows, axes: Axes) => Promise<Tensors>;
  readonly release: () => Promise<void>;
}

/** Rows from…to along an axis. */
export function rowsOf({ dtype, tensor: x }: TypedTensor, axis: number, [from, to]: Rows): TypedTensor {
  const rows = slice.evaluate([x], {
    starts: x.shape.map((_, at) => (at === axis ? from : 0)),
    ends: x.shape.map((extent, at) => (at === axis ? to : extent)),
    steps: x.shape.map(() => 1),
  });
  return { dtype, tensor: rows };
}
