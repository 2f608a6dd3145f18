import { fail } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Dtype, itemSizes } from "./dtype.ts";
import { byteLengthOf, decodeElements, encodeElements } from "./element-codecs.ts";
import { fileDiagnostic } from "./files/index.ts";

/** A tensor with its element type in the file. */
export interface TypedTensor {
  readonly dtype: Dtype;
  readonly tensor: Tensor;
}

/** The types that encodeElements writes and numpy supports. */
export type NpyDtype = Exclude<Dtype, "float16" | "bfloat16">;

/** Kind and size as numpy writes them, without the byte order. */
const descriptors = new Map<string, Dtype>([
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["b1", "bool"],
]);
const descriptorOf = new Map([...descriptors].map(([descriptor, dtype]) => [dtype, descriptor]));
const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Reads one array. Errors: MRL0150. Source: numpy/lib/format.py, versions 1 to 3. */
export function readNpy(bytes: Uint8Array, file: string): TypedTensor {
  const wrong = (message: string): never =>
    fail(fileDiagnostic("MRL0150", file, `this .npy file cannot be read: ${message}`));
  if (bytes.length < 10 || !magic.every((byte, index) => bytes[index] === byte)) wrong("the signature is missing");
  const version = bytes[6]!;
  if (version < 1 || version > 3) wrong(`it has version ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) wrong("it is truncated");
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes.length < end) wrong("its header is truncated");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const order = /'descr': '([<>|=])(\w+)'/.exec(header);
  const fortran = /'fortran_order': (True|False)/.exec(header)?.[1];
  const dims = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  const dtype = descriptors.get(order?.[2] ?? "");
  if (!order || fortran === undefined || dims === undefined) return wrong("its header is malformed");
  if (!dtype) return wrong(`elements of type ${order[2]} are not supported`);
  if (order[1] === ">" && itemSizes[dtype] > 1) return wrong("it is big-endian");
  const shape = dims
    .split(",")
    .map((size) => size.trim())
    .filter(Boolean)
    .map(Number);
  const data = bytes.subarray(end);
  const expected = byteLengthOf(dtype, shape);
  if (data.length !== expected) return wrong(`it holds ${data.length} bytes of data; its shape needs ${expected}`);
  const tensor = { shape, data: decodeElements(dtype, data, file) };
  return { dtype, tensor: fortran === "True" ? fromFortran(tensor) : tensor };
}

/** Converts column-major data to row-major. */
function fromFortran({ shape, data }: Tensor): Tensor {
  const out = new Float64Array(data.length);
  const index = shape.map(() => 0);
  for (let source = 0; source < data.length; source++) {
    out[index.reduce((at, position, axis) => at * shape[axis]! + position, 0)] = data[source]!;
    for (let axis = 0; axis < shape.length && ++index[axis]! === shape[axis]; axis++) index[axis] = 0;
  }
  return { shape, data: out };
}

/** Encodes version 1, row-major, little-endian: the bytes that numpy.save writes. */
export function writeNpy({ dtype, tensor }: TypedTensor & { readonly dtype: NpyDtype }): Uint8Array {
  const { shape } = tensor;
  const order = itemSizes[dtype] === 1 ? "|" : "<";
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${order}${descriptorOf.get(dtype)}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The data starts at a multiple of 64, after a line feed.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = new TextEncoder().encode(`${text.padEnd(length - 1)}\n`);
  const data = encodeElements(dtype, tensor.data);
  const out = new Uint8Array(10 + length + data.length);
  out.set([...magic, 1, 0, length & 0xff, length >> 8]);
  out.set(header, 10);
  out.set(data, 10 + length);
  return out;
}
