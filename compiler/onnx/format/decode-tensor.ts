import type { onnx as proto } from "onnx-proto";
import { sizeOf } from "../../../ir/type.ts";
import { findDuplicates } from "../../tensors/files/index.ts";
import {
  byteLengthOf,
  type Dtype,
  describeDtype,
  dtypeFromOnnx,
  type NarrowType,
  narrowTypeOf,
  packedLength,
  widenElements,
} from "../../tensors/index.ts";
import { locationFault } from "./external-data.ts";
import type { OnnxTensor, TensorSource } from "./model-records.ts";
import type { ProblemSink } from "./problem-sink.ts";

/** protobufjs gives int64 as Long where the package long is installed, and as a number elsewhere. */
export type Int64 = number | { readonly low: number; readonly high: number };

/** No typed array holds more elements. */
const maxElements = 2 ** 32;

const maxAxes = 64;

export function toBigInt(value: Int64): bigint {
  if (typeof value === "number") return BigInt(value);
  return (BigInt(value.high | 0) << 32n) | BigInt(value.low >>> 0);
}

/** Decodes a tensor to a record. Returns undefined, with the reasons reported, when that fails. */
export function decodeTensor(tensor: proto.ITensorProto, problems: ProblemSink, where: string): OnnxTensor | undefined {
  const number = tensor.dataType ?? 0;
  const narrow = narrowTypeOf(number);
  const dtype = narrow?.widened ?? dtypeFromOnnx(number);
  if (!dtype) {
    const help = "export the model in float32, float16 or bfloat16, with plain integers";
    return problems.report("MRL0109", where, `elements of type ${describeDtype(number)} are not supported`, help);
  }
  // Checked before any product: one of a million dimensions would take minutes.
  if ((tensor.dims?.length ?? 0) > maxAxes) {
    return problems.report("MRL0114", where, `${tensor.dims!.length} dimensions are too many`);
  }
  const dims = (tensor.dims ?? []).map(toBigInt);
  const elements = dims.reduce((product, dim) => product * dim, 1n);
  if (dims.some((dim) => dim < 0n || dim > BigInt(maxElements)) || elements > BigInt(maxElements)) {
    return problems.report("MRL0114", where, `the dimensions [${dims.join(", ")}] are invalid`);
  }
  if (tensor.segment) return problems.report("MRL0114", where, "segmented tensors are not supported");
  const shape = dims.map(Number);
  if (narrow) {
    const source =
      tensor.dataLocation === 1
        ? externalSource(tensor, packedLength(narrow, sizeOf(shape)), problems, where)
        : narrowSource(tensor, narrow, shape, problems, where);
    return source && { name: tensor.name ?? "", dtype, dims: shape, source, narrow };
  }
  const source =
    tensor.dataLocation === 1
      ? externalSource(tensor, byteLengthOf(dtype, shape), problems, where)
      : inlineSource(tensor, dtype, shape, problems, where);
  return source && { name: tensor.name ?? "", dtype, dims: shape, source };
}

function externalSource(
  tensor: proto.ITensorProto,
  expected: number,
  problems: ProblemSink,
  where: string,
): TensorSource | undefined {
  const entries = tensor.externalData ?? [];
  const keys = entries.map((entry) => entry.key ?? "");
  for (const key of findDuplicates(keys)) problems.report("MRL0111", where, `external_data gives "${key}" twice`);
  const values = new Map(entries.map((entry) => [entry.key ?? "", entry.value ?? ""]));
  const location = values.get("location") ?? "";
  const fault = locationFault(location);
  if (fault) {
    const help = "external data must lie in the folder of the model or below";
    return problems.report(
      "MRL0116",
      where,
      `the location of external data "${location}" is refused because ${fault}`,
      help,
    );
  }
  if (tensor.rawData?.length) return problems.report("MRL0114", where, "the data is both external and inline");
  const offset = parseDecimal(values.get("offset") ?? "0");
  const length = parseDecimal(values.get("length") ?? String(expected));
  if (offset === undefined || length === undefined) {
    return problems.report("MRL0117", where, "offset and length of external data must be integers");
  }
  if (length !== expected) {
    return problems.report("MRL0114", where, `the external data has ${length} bytes; its dimensions need ${expected}`);
  }
  return { kind: "external", location, offset, length };
}

function parseDecimal(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/**
 * The typed field that holds elements of a type, and the array that lays them out. Source: TensorProto in onnx.proto.
 */
const typedFields = {
  float32: ["floatData", Float32Array],
  float64: ["doubleData", Float64Array],
  int64: ["int64Data", BigInt64Array],
  uint64: ["uint64Data", BigUint64Array],
  uint32: ["uint64Data", Uint32Array],
  int32: ["int32Data", Int32Array],
  int16: ["int32Data", Int16Array],
  int8: ["int32Data", Int8Array],
  uint16: ["int32Data", Uint16Array],
  uint8: ["int32Data", Uint8Array],
  bool: ["int32Data", Uint8Array],
  float16: ["int32Data", Uint16Array],
  bfloat16: ["int32Data", Uint16Array],
} as const;
const fieldNames = ["floatData", "doubleData", "int64Data", "uint64Data", "int32Data"] as const;

function inlineSource(
  tensor: proto.ITensorProto,
  dtype: Dtype,
  shape: readonly number[],
  problems: ProblemSink,
  where: string,
): TensorSource | undefined {
  const expected = byteLengthOf(dtype, shape);
  const [field] = typedFields[dtype];
  const filled = fieldNames.filter((name) => tensor[name]?.length);
  const raw = tensor.rawData ?? new Uint8Array();
  if (filled.length + (raw.length > 0 ? 1 : 0) > 1 || filled.some((name) => name !== field)) {
    const found = [...(raw.length > 0 ? ["rawData"] : []), ...filled].join(" and ");
    const message = `expected the data of a ${dtype} tensor in rawData or ${field}, found it in ${found}`;
    return problems.report("MRL0114", where, message);
  }
  const bytes = filled.length > 0 ? typedBytes(tensor, dtype) : raw;
  if (!bytes) return problems.report("MRL0114", where, `a value of ${field} does not fit ${dtype}`);
  if (bytes.length !== expected) {
    const message = `the data has ${bytes.length} bytes; ${dtype} of [${shape.join(", ")}] needs ${expected}`;
    return problems.report("MRL0114", where, message);
  }
  return { kind: "inline", bytes };
}

/** Packed elements lie in rawData, or one byte each in int32Data. */
function narrowSource(
  tensor: proto.ITensorProto,
  narrow: NarrowType,
  shape: readonly number[],
  problems: ProblemSink,
  where: string,
): TensorSource | undefined {
  const count = sizeOf(shape);
  const bytes = tensor.int32Data?.length ? Uint8Array.from(tensor.int32Data) : (tensor.rawData ?? new Uint8Array());
  const expected = packedLength(narrow, count);
  if (bytes.length !== expected) {
    const message = `the data has ${bytes.length} bytes; ${narrow.name} of [${shape.join(", ")}] needs ${expected}`;
    return problems.report("MRL0114", where, message);
  }
  return { kind: "inline", bytes: widenElements(narrow, bytes, count) };
}

/** The elements of a typed field as raw bytes; undefined when an element does not fit the type. */
function typedBytes(tensor: proto.ITensorProto, dtype: Dtype): Uint8Array | undefined {
  const [field, TypedArray] = typedFields[dtype];
  const values: readonly Int64[] = tensor[field] ?? [];
  if (TypedArray === BigInt64Array || TypedArray === BigUint64Array) {
    return bytesOf(TypedArray.from(values.map(toBigInt)));
  }
  const numbers = field === "uint64Data" ? values.map((value) => Number(toBigInt(value))) : (values as number[]);
  const array = (TypedArray as Float64ArrayConstructor).from(numbers);
  const exact = dtype === "float32" || dtype === "float64" || numbers.every((value, index) => array[index] === value);
  return exact ? bytesOf(array) : undefined;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
