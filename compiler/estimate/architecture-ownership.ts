import type { Label } from "../../ir/label.ts";

/** Private pairs beside public products: x·W + (x·A)·B. */
export interface AdapterOwnership {
  readonly rank: number;
  /** Beside which products of a layer. */
  readonly targets: "queries and values" | "every product";
  /** A stays as it started and is public (LoRA-FA): x·A is local. */
  readonly publicA?: boolean;
}

/** Who owns the weights of an architecture that is counted without any. */
export interface ArchitectureOwnership {
  /** Share of the layers, from the first on, that are public together with the embedding: the client computes them. */
  readonly frozenFraction: number;
  /** What they are added to is public, and so is the head. */
  readonly adapters?: AdapterOwnership;
  /** The embedding is private: the client sends one-hot rows. */
  readonly privateEmbedding: boolean;
}

/**
 * `all`: every weight is private. `layers`: every weight but the embedding, which the client looks up itself. `lf0.5`:
 * the first half of the layers is frozen, and with it the embedding. `lf0.5+lora64`, `lora64`: of the other layers only
 * adapters of rank 64 on queries and values are private. @throws RangeError for anything else.
 */
export function parseOwnership(text: string): ArchitectureOwnership {
  if (text === "all") return { frozenFraction: 0, privateEmbedding: true };
  if (text === "layers") return { frozenFraction: 0, privateEmbedding: false };
  const [, fraction, both, alone] = /^(?:lf(0(?:\.\d+)?|\.\d+)(?:\+lora(\d{1,4}))?|lora(\d{1,4}))$/.exec(text) ?? [];
  const rank = Number(both ?? alone ?? 0);
  if ((fraction === undefined && alone === undefined) || (rank === 0 && (both ?? alone) !== undefined)) {
    throw new RangeError(`--private takes all, layers, lf0.5, lora64 or lf0.5+lora64 with --architecture, found "${text}"`);
  }
  const adapters: AdapterOwnership = { rank, targets: "queries and values" };
  return { frozenFraction: Number(fraction ?? 0), privateEmbedding: false, ...(rank > 0 && { adapters }) };
}

/** The same layers with adapters on every product. @throws RangeError where the embedding is private, or adapters are there. */
export function withAdapters(ownership: ArchitectureOwnership, rank: number): ArchitectureOwnership {
  if (ownership.privateEmbedding || ownership.adapters) {
    throw new RangeError("--lora-rank goes with --private layers or lf0.5, whose products it leaves public");
  }
  return { ...ownership, adapters: { rank, targets: "every product" } };
}

/** Label of the large weights of the layers that are not frozen. */
export const privateLayerLabel = ({ adapters }: ArchitectureOwnership): Label =>
  adapters === undefined ? "server" : "public";
