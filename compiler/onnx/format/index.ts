export { decodeModel, decodeTensorFile } from "./decode-model.ts";
export { locationFault, readExternalData } from "./external-data.ts";
export { type BoundaryType, extractSubgraph, nodeBytes, tensorProtoBytes } from "./extract-subgraph.ts";
export { createGraphWriter, type GraphWriter, type WrittenDtype } from "./graph-writer.ts";
export type {
  OnnxAttribute,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValueInfo,
  TensorSource,
} from "./model-records.ts";
export {
  isTensorData,
  joinBytes,
  lengthDelimited,
  numberField,
  onnxFields,
  splitFields,
  stringField,
  stringsOf,
} from "./protobuf-edit.ts";
export { type ScannedMessage, scanProtobuf } from "./protobuf-scan.ts";
export { readTensor, tensorBytes } from "./read-tensor.ts";
export { scanLimits } from "./scan-limits.ts";
export { unnamedNode } from "./unnamed-node.ts";
export { createUnusedNames } from "./unused-names.ts";
