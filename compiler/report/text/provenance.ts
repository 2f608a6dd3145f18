import type { LoadedModel } from "../../load/index.ts";
import type { ConstantDigest } from "../../onnx/weights/index.ts";
import { constantDigests } from "../../onnx/weights/index.ts";
import { textTable } from "./text-table.ts";

/** One tensor of a model or an adapter: who knows it, and why. */
export interface WeightProvenance {
  readonly name: string;
  readonly label: string;
  readonly why: string;
  readonly shape: readonly number[];
  /** Of public ones: over the elements as the training framework keeps them. */
  readonly sha256?: string;
  /** Of private ones that the base has: how many of the elements are not the base's. */
  readonly moved?: number;
}

/** Who knows what of a model, weights and tables of the graph alike. */
export interface ModelProvenance {
  readonly weights: readonly WeightProvenance[];
  readonly constants: readonly ConstantDigest[];
}

export function modelProvenance({ imported, ownership }: LoadedModel): ModelProvenance {
  const { catalog } = ownership;
  const dims = new Map([...catalog.weights.values()].map(({ name, source }) => [name, source.dims]));
  const weights = ownership.table.map((line) => {
    return { ...line, shape: dims.get(line.name) ?? imported.weights.get(line.name)?.shape ?? [] };
  });
  return { weights, constants: constantDigests(catalog) };
}

/** A line for each tensor, with whole digests: to compare them with sha256sum. */
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
