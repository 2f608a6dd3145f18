import type { Label } from "../../ir/label.ts";

/** Private low-rank adapters beside public products: x·W + (x·A)·B. */
export interface AdapterOwnership {
  readonly rank: number;
  /** The products of a layer that have an adapter. */
  readonly targets: "queries and values" | "every product";
  /** A keeps its initial value and is public (LoRA-FA): x·A is local. */
  readonly publicA?: boolean;
}

/** Who owns the weights of an architecture. */
export interface ArchitectureOwnership {
  /** Fraction of the layers, from the first on, that are public like the embedding: the client computes them. */
  readonly frozenFraction: number;
  /** Present: the weights that they are added to are public, and so is the head. */
  readonly adapters?: AdapterOwnership;
  /** The embedding is private: the client sends one-hot rows. */
  readonly privateEmbedding: boolean;
}

/**
 * Parses `--private`. `all`: every weight is private. `layers`: every weight but the embedding, which the client looks
 * up itself. `lf0.5`: the first half of the layers and the embedding are frozen. `lf0.5+lora64`, `lora64`: in the other
 * layers only adapters of rank 64 on queries and values are private.
 * @throws RangeError for any other text
 */
export function parseOwnership(text: string): ArchitectureOwnership {
  if (text === "all") return { frozenFraction: 0, privateEmbedding: true };
  if (text === "layers") return { frozenFraction: 0, privateEmbedding: false };
  const [, fraction, both, alone] = /^(?:lf(0(?:\.\d+)?|\.\d+)(?:\+lora(\d{1,4}))?|lora(\d{1,4}))$/.exec(text) ?? [];
  const rank = Number(both ?? alone ?? 0);
  if ((fraction === undefined && alone === undefined) || (rank === 0 && (both ?? alone) !== undefined)) {
    throw new RangeError(`expected --private all, layers, lf0.5, lora64 or lf0.5+lora64, found "${text}"`);
  }
  const adapters: AdapterOwnership = { rank, targets: "queries and values" };
  return { frozenFraction: Number(fraction ?? 0), privateEmbedding: false, ...(rank > 0 && { adapters }) };
}

/**
 * The same ownership with adapters on every product.
 * @throws RangeError for a private embedding, or where there are adapters already
 */
export function withAdapters(ownership: ArchitectureOwnership, rank: number): ArchitectureOwnership {
  if (ownership.privateEmbedding || ownership.adapters) {
    throw new RangeError("expected --private layers or lf0.5 with --lora, which keeps their products public");
  }
  return { ...ownership, adapters: { rank, targets: "every product" } };
}

/** Label of the matrices of layers that are not frozen. */
export const privateLayerLabel = ({ adapters }: ArchitectureOwnership): Label =>
  adapters === undefined ? "server" : "public";
