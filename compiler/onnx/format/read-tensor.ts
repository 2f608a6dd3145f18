import type { Tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { decodeElements, widenElements } from "../../tensors/index.ts";
import { readExternalData } from "./external-data.ts";
import type { OnnxModel, OnnxTensor } from "./model-records.ts";

/** The raw little-endian elements, read from the external file or computed where the model defines a computation. */
export function tensorBytes(model: Pick<OnnxModel, "file">, tensor: OnnxTensor): Uint8Array {
  const { source, name } = tensor;
  if (source.kind === "external") {
    const bytes = readExternalData(model.file, name, source);
    return tensor.narrow ? widenElements(tensor.narrow, bytes, sizeOf(tensor.dims)) : bytes;
  }
  return source.kind === "computed" ? source.bytes() : source.bytes;
}

export function readTensor(model: Pick<OnnxModel, "file">, tensor: OnnxTensor): Tensor {
  const at = `${model.file}, tensor "${tensor.name}"`;
  return { shape: tensor.dims, data: decodeElements(tensor.dtype, tensorBytes(model, tensor), at) };
}
