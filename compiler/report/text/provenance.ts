import type { LoadedModel } from "../../load/index.ts";
import { type ConstantDigest, constantDigests } from "../../onnx/weights/index.ts";
import { textTable } from "./text-table.ts";

/** One tensor of a model or an adapter: who knows it, and why. */
export interface WeightProvenance {
  readonly name: string;
  readonly label: string;
  readonly why: string;
  readonly shape: readonly number[];
  /** Of public weights: over the elements as the training framework stores them. */
  readonly sha256?: string;
  /** Of private weights that the base has: the number of elements that differ from the base. */
  readonly moved?: number;
}

/** Who knows which weights and constants of a model. */
export interface ModelProvenance {
  readonly weights: readonly WeightProvenance[];
  readonly constants: readonly ConstantDigest[];
}

/** Collects the ownership of every weight and the digest of every constant. */
export function modelProvenance({ imported, ownership }: LoadedModel): ModelProvenance {
  const { catalog } = ownership;
  const dims = new Map([...catalog.weights.values()].map(({ name, source }) => [name, source.dims]));
  const weights = ownership.table.map((line) => {
    return { ...line, shape: dims.get(line.name) ?? imported.weights.get(line.name)?.shape ?? [] };
  });
  return { weights, constants: constantDigests(catalog) };
}

/** A line for each tensor, with full digests to compare with sha256sum. */
export function provenanceText({ weights, constants }: ModelProvenance): string {
  const size = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
  const rows = [
    ...weights.map(({ name, shape, label, why, moved, sha256 }) => {
      const counted = moved === undefined ? why : `${why} in ${moved} of ${size(shape)} elements`;
      return [name, `[${shape.join(", ")}]`, label, counted, sha256 ?? ""];
    }),
    ...constants.map(({ name, shape, sha256 }) => [
      name,
      `[${shape.join(", ")}]`,
      "public",
      "a constant of the graph",
      sha256,
    ]),
  ];
  const titles = ["weight", "shape", "known to", "why", "SHA-256"];
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}
