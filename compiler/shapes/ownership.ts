import type { Label } from "../../ir/label.ts";

/** Who owns the weights of an architecture that is counted without any. */
export interface ShapeOwnership {
  /** Share of the layers, from the first on, that are public together with the embedding: the client computes them. */
  readonly frozen: number;
  /** Rank of private adapters on queries and values; what they are added to is public, and so is the head. */
  readonly adapterRank?: number;
  /** The embedding is private: the client sends one-hot rows. */
  readonly embedding: boolean;
}

/**
 * `all`: every weight is private. `layers`: every weight but the embedding, which the client looks up itself. `lf0.5`:
 * the first half of the layers is frozen, and with it the embedding. `lf0.5+lora64`, `lora64`: of the other layers only
 * adapters of rank 64 are private. @throws RangeError for anything else.
 */
export function parseOwnership(text: string): ShapeOwnership {
  if (text === "all") return { frozen: 0, embedding: true };
  if (text === "layers") return { frozen: 0, embedding: false };
  const [, fraction, both, alone] = /^(?:lf(0(?:\.\d+)?|\.\d+)(?:\+lora(\d{1,4}))?|lora(\d{1,4}))$/.exec(text) ?? [];
  const rank = Number(both ?? alone ?? 0);
  if ((fraction === undefined && alone === undefined) || (rank === 0 && (both ?? alone) !== undefined)) {
    throw new RangeError(`--private takes all, layers, lf0.5, lora64 or lf0.5+lora64 with --shape, found "${text}"`);
  }
  return { frozen: Number(fraction ?? 0), embedding: false, ...(rank > 0 && { adapterRank: rank }) };
}

/** Label of the large weights of the layers that are not frozen. */
export const layerLabel = ({ adapterRank }: ShapeOwnership): Label => (adapterRank === undefined ? "server" : "public");
