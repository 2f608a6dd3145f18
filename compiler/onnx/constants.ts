import { createHash } from "node:crypto";
import { sizeOf } from "../../ir/type.ts";
import { elementOf, storedTensors, type WeightCatalog } from "./import-weights.ts";
import type { OnnxTensor } from "./records.ts";
import { tensorBytes } from "./tensor-data.ts";

export interface ConstantDigest {
  readonly name: string;
  readonly shape: readonly number[];
  /** SHA-256 of the elements as they are in an ONNX file. */
  readonly sha256: string;
}

/** Extents, axes and single numbers say nothing but the architecture; larger tables are told to who checks a build. */
const isTable = ({ dtype, dims }: OnnxTensor): boolean => sizeOf(dims) > (elementOf(dtype).kind === "f32" ? 1 : 16);

/** Tables of the graph that are nobody's weights: positions, masks. */
export function constantDigests(catalog: WeightCatalog): readonly ConstantDigest[] {
  const { model, constants } = catalog;
  return storedTensors(model)
    .filter((tensor) => constants.has(tensor.name) && isTable(tensor))
    .map((tensor) => {
      const sha256 = createHash("sha256").update(tensorBytes(model, tensor)).digest("hex");
      return { name: tensor.name, shape: tensor.dims, sha256 };
    });
}
