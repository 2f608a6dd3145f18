/** The encoding of a field of onnx.proto, and the message inside it. Source: onnx.proto of ONNX 1.20 (IR 13). */
export type FieldLayout =
  | { readonly kind: "varint" | "fixed32" | "fixed64"; readonly repeated?: boolean }
  | { readonly kind: "string" | "bytes"; readonly repeated?: boolean }
  | { readonly kind: "message"; readonly message: MessageName; readonly repeated?: boolean };

export interface FieldSchema {
  readonly name: string;
  readonly layout: FieldLayout;
}
export type MessageSchema = ReadonlyMap<number, FieldSchema>;

export type MessageName =
  | "Model"
  | "OperatorSetId"
  | "StringStringEntry"
  | "Function"
  | "Training"
  | "Graph"
  | "Node"
  | "Attribute"
  | "ValueInfo"
  | "Tensor"
  | "Segment"
  | "SparseTensor"
  | "Annotation"
  | "Type"
  | "TypeTensor"
  | "TypeElement"
  | "TypeMap"
  | "Shape"
  | "Dimension";

/** Compact form of the tables below: `name:layout`, `*` for repeated, a capital letter for a message. */
function messageSchema(fields: Readonly<Record<number, string>>): MessageSchema {
  return new Map(Object.entries(fields).map(([number, text]) => [Number(number), fieldSchema(text)]));
}

function fieldSchema(text: string): FieldSchema {
  const [name = "", layout = ""] = text.split(":");
  const repeated = layout.endsWith("*");
  const kind = repeated ? layout.slice(0, -1) : layout;
  if (/^[A-Z]/.test(kind)) return { name, layout: { kind: "message", message: kind as MessageName, repeated } };
  if (kind === "string" || kind === "bytes") return { name, layout: { kind } };
  return { name, layout: { kind: kind as "varint" | "fixed32" | "fixed64", repeated } };
}

export const messageSchemas: Readonly<Record<MessageName, MessageSchema>> = {
  Model: messageSchema({
    1: "ir_version:varint",
    2: "producer_name:string",
    3: "producer_version:string",
    4: "domain:string",
    5: "model_version:varint",
    6: "doc_string:string",
    7: "graph:Graph",
    8: "opset_import:OperatorSetId*",
    14: "metadata_props:StringStringEntry*",
    20: "training_info:Training*",
    25: "functions:Function*",
  }),
  OperatorSetId: messageSchema({ 1: "domain:string", 2: "version:varint" }),
  StringStringEntry: messageSchema({ 1: "key:string", 2: "value:string" }),
  Function: messageSchema({ 1: "name:string", 7: "node:Node*", 9: "opset_import:OperatorSetId*", 10: "domain:string" }),
  Training: messageSchema({
    1: "initialization:Graph",
    2: "algorithm:Graph",
    3: "initialization_binding:StringStringEntry*",
    4: "update_binding:StringStringEntry*",
  }),
  Graph: messageSchema({
    1: "node:Node*",
    2: "name:string",
    5: "initializer:Tensor*",
    10: "doc_string:string",
    11: "input:ValueInfo*",
    12: "output:ValueInfo*",
    13: "value_info:ValueInfo*",
    14: "quantization_annotation:Annotation*",
    15: "sparse_initializer:SparseTensor*",
    16: "metadata_props:StringStringEntry*",
  }),
  Node: messageSchema({
    1: "input:string",
    2: "output:string",
    3: "name:string",
    4: "op_type:string",
    5: "attribute:Attribute*",
    6: "doc_string:string",
    7: "domain:string",
    8: "overload:string",
    9: "metadata_props:StringStringEntry*",
  }),
  Attribute: messageSchema({
    1: "name:string",
    2: "f:fixed32",
    3: "i:varint",
    4: "s:bytes",
    5: "t:Tensor",
    6: "g:Graph",
    7: "floats:fixed32*",
    8: "ints:varint*",
    9: "strings:bytes",
    10: "tensors:Tensor*",
    11: "graphs:Graph*",
    13: "doc_string:string",
    14: "tp:Type",
    15: "type_protos:Type*",
    20: "type:varint",
    21: "ref_attr_name:string",
    22: "sparse_tensor:SparseTensor",
    23: "sparse_tensors:SparseTensor*",
  }),
  ValueInfo: messageSchema({
    1: "name:string",
    2: "type:Type",
    3: "doc_string:string",
    4: "metadata_props:StringStringEntry*",
  }),
  Tensor: messageSchema({
    1: "dims:varint*",
    2: "data_type:varint",
    3: "segment:Segment",
    4: "float_data:fixed32*",
    5: "int32_data:varint*",
    6: "string_data:bytes",
    7: "int64_data:varint*",
    8: "name:string",
    9: "raw_data:bytes",
    10: "double_data:fixed64*",
    11: "uint64_data:varint*",
    12: "doc_string:string",
    13: "external_data:StringStringEntry*",
    14: "data_location:varint",
    16: "metadata_props:StringStringEntry*",
  }),
  Segment: messageSchema({ 1: "begin:varint", 2: "end:varint" }),
  SparseTensor: messageSchema({ 1: "values:Tensor", 2: "indices:Tensor", 3: "dims:varint*" }),
  Annotation: messageSchema({ 1: "tensor_name:string", 2: "quant_parameter_tensor_names:StringStringEntry*" }),
  Type: messageSchema({
    1: "tensor_type:TypeTensor",
    4: "sequence_type:TypeElement",
    5: "map_type:TypeMap",
    6: "denotation:string",
    8: "sparse_tensor_type:TypeTensor",
    9: "optional_type:TypeElement",
  }),
  TypeTensor: messageSchema({ 1: "elem_type:varint", 2: "shape:Shape" }),
  TypeElement: messageSchema({ 1: "elem_type:Type" }),
  TypeMap: messageSchema({ 1: "key_type:varint", 2: "value_type:Type" }),
  Shape: messageSchema({ 1: "dim:Dimension*" }),
  Dimension: messageSchema({ 1: "dim_value:varint", 2: "dim_param:string", 3: "denotation:string" }),
};
