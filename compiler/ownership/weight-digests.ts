import { createHash } from "node:crypto";
import type { Tensor } from "../../ir/tensor.ts";
import { tensorBytes } from "../onnx/format/index.ts";
import type { ModelWeight, WeightCatalog } from "../onnx/weights/index.ts";
import { type Dtype, encodeElements, itemSizes, roundToDtype, transpose } from "../tensors/index.ts";

/**
 * SHA-256 of a parameter's elements in the layout of the training framework ([out, in], little-endian, the file's
 * precision). For an unchanged weight it is the digest of the tensor's bytes in the base's safetensors file.
 */
export function parameterDigest({ model }: WeightCatalog, { source, recovered }: ModelWeight): string {
  const bytes = tensorBytes(model, source);
  const turned = recovered?.transposed && source.dims.length === 2;
  const [rows = 0, columns = 0] = source.dims;
  const plain = turned ? transposeBytes(bytes, rows, columns, itemSizes[source.dtype]) : bytes;
  return createHash("sha256").update(plain).digest("hex");
}

/** Digests of a weight's elements as stored and, for a matrix, of its transpose. */
export function elementDigests({ model }: WeightCatalog, { source }: ModelWeight): readonly string[] {
  const bytes = tensorBytes(model, source);
  const [rows = 0, columns = 0] = source.dims;
  const turned = source.dims.length === 2 ? [transposeBytes(bytes, rows, columns, itemSizes[source.dtype])] : [];
  return [bytes, ...turned].map((each) => createHash("sha256").update(each).digest("hex"));
}

/** The digest of a matrix from an adapter file, which stores [r, in] in single precision. */
export const loraDigest = (matrix: Tensor): string =>
  createHash("sha256")
    .update(encodeElements("float32", transpose(matrix).data))
    .digest("hex");

function transposeBytes(bytes: Uint8Array, rows: number, columns: number, size: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      const to = (column * rows + row) * size;
      for (let byte = 0; byte < size; byte++) out[to + byte] = bytes[from + byte]!;
    }
  }
  return out;
}

/**
 * The number of elements that differ from the base. It is also 0 where all elements are the base's, rounded to the
 * model's narrower format: both are functions of the base alone. A wider model must be exactly equal: rounding could
 * hide training.
 */
export function countDifferences(model: Tensor, base: Tensor, dtype: Dtype): number {
  if (model.data.length !== base.data.length) return model.data.length;
  const count = (of: (value: number) => number): number =>
    model.data.reduce((sum, value, at) => sum + (Object.is(value, of(base.data[at]!)) ? 0 : 1), 0);
  const exact = count((value) => value);
  return exact === 0
    ? 0
    : Math.min(
        exact,
        count((value) => roundToDtype(value, dtype)),
      );
}
