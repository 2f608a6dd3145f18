export {
  type Dtype,
  describeDtype,
  dtypeFromOnnx,
  dtypeOfType,
  isDtype,
  itemSizes,
  onnxTypeNumber,
  shortType,
} from "./dtype.ts";
export {
  byteLengthOf,
  decodeElements,
  encodeElements,
  int64Of,
  integerLimit,
  safeIntegerOf,
} from "./element-codecs.ts";
export { createFixedStream } from "./fixed-stream.ts";
export { type NarrowType, narrowTypeOf, packedLength, widenElements } from "./narrow-types.ts";
export { type NpyDtype, readNpy, type TypedTensor, writeNpy } from "./npy.ts";
export { readNpz, writeNpz } from "./npz.ts";
export { encodeWeight, roundTensor, roundToDtype } from "./rounding.ts";
export { openSafetensors, readSafetensor, type SafetensorsFile, writeSafetensors } from "./safetensors.ts";
export { parseSafetensorsHeader } from "./safetensors-header.ts";
export { isObject, type Json, type JsonObject, parseJson, parseJsonBytes } from "./strict-json.ts";
export { findNonFinite, transpose } from "./tensor-ops.ts";
