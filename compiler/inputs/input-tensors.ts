import { extname } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { sizeOf } from "../../ir/type.ts";
import { decodeTensorFile, readTensor } from "../onnx/format/index.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import {
  type Dtype,
  isDtype,
  isObject,
  type Json,
  parseJsonBytes,
  readNpy,
  readNpz,
  type TypedTensor,
} from "../tensors/index.ts";

/** Inputs of one run; activations, not weights. */
const maxInputBytes = 2 ** 31 - 1;

type TensorFileReader = (bytes: Uint8Array, file: string) => ReadonlyMap<string, TypedTensor>;

const tensorFileReaders = new Map<string, TensorFileReader>([
  [".npy", (bytes, file) => new Map([["", readNpy(bytes, file)]])],
  [".npz", readNpz],
  [".pb", readTensorProto],
  [".json", readJsonTensors],
]);

/** Endings of files that hold inputs. */
export const inputFileEndings: readonly string[] = [...tensorFileReaders.keys()];

/** Reads the tensors of an input file by name; an unnamed tensor has the name "". Errors: MRL0152, MRL0153, and those of each format. */
export function readInputTensors(file: string): ReadonlyMap<string, TypedTensor> {
  const reader = tensorFileReaders.get(extname(file).toLowerCase());
  if (reader) return reader(readWholeFile(file, maxInputBytes), file);
  return fail(fileDiagnostic("MRL0153", file, `inputs are read from ${[...tensorFileReaders.keys()].join(", ")}`));
}

function readTensorProto(bytes: Uint8Array, file: string): ReadonlyMap<string, TypedTensor> {
  const tensor = decodeTensorFile(bytes, file);
  return new Map([[tensor.name, { dtype: tensor.dtype, tensor: readTensor({ file }, tensor) }]]);
}

/** Reads `{"x": [[1, 2]], "y": {"dtype": "int64", "shape": [2], "data": [1, 2]}}`; nested lists are float32. */
export function readJsonTensors(bytes: Uint8Array, file: string): ReadonlyMap<string, TypedTensor> {
  const json = parseJsonBytes(bytes, file, "MRL0152");
  if (!isObject(json)) return fail(fileDiagnostic("MRL0152", file, "expected an object of tensors by name"));
  return new Map([...json].map(([name, value]) => [name, jsonTensor(value, `${file}, tensor "${name}"`)]));
}

function jsonTensor(value: Json, at: string): TypedTensor {
  if (!isObject(value)) return { dtype: "float32", tensor: flattenJson(value, at) };
  const type = value.get("dtype") ?? "float32";
  if (typeof type !== "string" || !isDtype(type)) {
    return fail(fileDiagnostic("MRL0152", at, `the element type ${JSON.stringify(type)} is unknown`));
  }
  const given = flattenJson(value.get("data") ?? null, at);
  const shape = value.get("shape") ?? given.shape;
  const isSize = (size: unknown): size is number => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize) || sizeOf(shape as number[]) !== given.data.length) {
    fail(fileDiagnostic("MRL0152", at, `${given.data.length} numbers do not have the shape ${JSON.stringify(shape)}`));
  }
  const fault = given.data.findIndex((number) => !canRepresent(type, number));
  if (fault >= 0) fail(fileDiagnostic("MRL0152", at, `${given.data[fault]} is not a value of type ${type}`));
  return { dtype: type, tensor: { shape: shape as number[], data: given.data } };
}

function canRepresent(dtype: Dtype, value: number): boolean {
  if (dtype === "bool") return value === 0 || value === 1;
  const [, unsigned, bits] = /^(u?)int(\d+)$/.exec(dtype) ?? [];
  if (!bits) return true;
  const top = 2 ** (Number(bits) - (unsigned ? 0 : 1));
  return Number.isSafeInteger(value) && value < top && value >= (unsigned ? 0 : -top);
}

/** Flattens nested lists of numbers; all lists at one depth have the same length. */
function flattenJson(value: Json, at: string): { shape: number[]; data: Float64Array } {
  const shape: number[] = [];
  for (let level: Json | undefined = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data: number[] = [];
  const visit = (item: Json, depth: number): void => {
    if (depth === shape.length) {
      if (typeof item !== "number" && typeof item !== "boolean")
        fail(fileDiagnostic("MRL0152", at, "expected a number"));
      data.push(Number(item));
    } else if (!Array.isArray(item) || item.length !== shape[depth]) {
      fail(fileDiagnostic("MRL0152", at, `its lists are ragged: expected ${shape[depth]} items at depth ${depth}`));
    } else {
      for (const inner of item) visit(inner, depth + 1);
    }
  };
  visit(value, 0);
  return { shape, data: Float64Array.from(data) };
}
