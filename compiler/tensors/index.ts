export {
  type Dtype,
  describeDtype,
  dtypeOf,
  dtypeOfType,
  isDtype,
  itemSizes,
  onnxNumberOf,
  shortType,
} from "./dtype.ts";
export { byteLengthOf, decodeElements, encodeElements, int64Of, integerLimit, integerOf } from "./element-codecs.ts";
export { isObject, type Json, type JsonObject, parseJson, parseJsonBytes } from "./json.ts";
export { type NarrowType, narrowTypeOf, packedLength, widened } from "./narrow.ts";
export { type NpyDtype, readNpy, type TypedTensor } from "./npy.ts";
export { readNpz, writeNpz } from "./npz.ts";
export { rounded, roundedTo, weightBytes } from "./rounding.ts";
export { openSafetensors, readSafetensor, type Safetensors, writeSafetensors } from "./safetensors.ts";
export { parseSafetensorsHeader } from "./safetensors-header.ts";
export { nonFinite, transpose } from "./tensor-data.ts";
