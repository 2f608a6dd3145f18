import { slice } from "../../ir/ops/slice.ts";
import type { Asked } from "../../runtime/session/party-session.ts";
import type { TypedTensor } from "../weights/npy.ts";

export type Tensors = ReadonlyMap<string, TypedTensor>;

/** Tensors between the client's layers and the secure part, and along which axis they have the places. */
export type Axes = ReadonlyMap<string, number>;

/** The client's own layers, before the secure part and behind it: over the window, or row by row. */
export interface ClientLayers {
  /** What they give for the window, or for the place that is asked about. */
  readonly before: (inputs: Tensors, asked: Asked, axes: Axes) => Promise<Tensors>;
  /** Outputs from what was revealed of the window, or of the place. */
  readonly after: (revealed: Tensors, asked: Asked, axes: Axes) => Promise<Tensors>;
  readonly release: () => Promise<void>;
}

/** Rows from…to along an axis. */
export function rowsOf({ dtype, tensor: x }: TypedTensor, axis: number, from: number, to: number): TypedTensor {
  const rows = slice.evaluate([x], {
    starts: x.shape.map((_, at) => (at === axis ? from : 0)),
    ends: x.shape.map((extent, at) => (at === axis ? to : extent)),
    steps: x.shape.map(() => 1),
  });
  return { dtype, tensor: rows };
}
