export { decodeModel, decodeTensorFile } from "./decode.ts";
export { type BorderType, extractSubgraph, nodeBytes, tensorProtoBytes } from "./encode.ts";
export { readExternal } from "./external.ts";
export { createGraphWriter, type GraphWriter, type WrittenDtype } from "./graph-writer.ts";
export { readTensor, tensorBytes } from "./read-tensor.ts";
export type {
  OnnxAttribute,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValueInfo,
  TensorSource,
} from "./records.ts";
export { wireLimits } from "./wire.ts";
export {
  delimited,
  fields,
  holdsData,
  joinBytes,
  numberField,
  splitFields,
  stringField,
  stringsOf,
} from "./wire-edit.ts";
