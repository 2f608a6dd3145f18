import { counted } from "../../ir/counted.ts";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import {
  byteLengthOf,
  type Dtype,
  decodeElements,
  describeDtype,
  dtypeFromOnnx,
  findNonFinite,
} from "../tensors/index.ts";
import { type FlatbufferTable, readFlatbuffer } from "./read-flatbuffer.ts";

/** A named tensor for the graph input of that name. */
export interface AdapterParameter {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  /** Little-endian elements without gaps. */
  readonly bytes: Uint8Array;
}

/** An adapter of ONNX Runtime's multi-LoRA. */
export interface OnnxAdapter {
  readonly file: string;
  /** Sorted by name. */
  readonly parameters: readonly AdapterParameter[];
}

export const isOnnxAdapter = (path: string): boolean => path.endsWith(".onnx_adapter");

/** Field indices in adapter_schema.fbs of ONNX Runtime, format version 1. */
const adapterFields = { formatVersion: 0, parameters: 3 } as const;
const parameterFields = { name: 0, dims: 1, dataType: 2, rawData: 3 } as const;

/** An adapter is small beside its model. */
const maxBytes = 2 ** 31;
const maxParameters = 2 ** 16;
const floats: ReadonlySet<Dtype> = new Set(["float32", "float16", "bfloat16", "float64"]);

/** Reads an .onnx_adapter file, as onnxruntime.AdapterFormat and `olive convert-adapters` write it. */
export const readOnnxAdapter = (file: string): OnnxAdapter => decodeOnnxAdapter(readWholeFile(file, maxBytes), file);

/** Decodes an .onnx_adapter file. Reports all problems in one DiagnosticError (MRL0143). */
export function decodeOnnxAdapter(bytes: Uint8Array, file: string): OnnxAdapter {
  const problems: Diagnostic[] = [];
  const wrong = (name: string, message: string): undefined =>
    void problems.push(fileDiagnostic("MRL0143", name === "" ? file : `${file}, parameter "${name}"`, message, help));
  const tables = parametersOf(bytes, file);
  const parameters = tables.flatMap((table, at) => {
    try {
      return readParameter(table, wrong) ?? [];
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return wrong("", `parameter ${at}: ${error.message}`) ?? [];
    }
  });
  const seen = new Set<string>();
  for (const { name } of parameters) {
    if (seen.has(name)) wrong(name, "it occurs twice");
    seen.add(name);
  }
  // Parameters that share their bytes could be many times the file.
  const all = parameters.reduce((sum, parameter) => sum + parameter.bytes.length, 0);
  if (all > bytes.length) wrong("", `its parameters have ${all} bytes, more than the file's ${bytes.length}`);
  if (parameters.length === 0 && problems.length === 0) wrong("", "it has no parameters");
  throwIfAny(problems);
  return { file, parameters: parameters.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

const help = "write it again with onnxruntime.AdapterFormat or olive convert-adapters";

function parametersOf(bytes: Uint8Array, file: string): readonly FlatbufferTable[] {
  const refuse = (message: string): never => fail(fileDiagnostic("MRL0143", file, message, help));
  try {
    const root = readFlatbuffer(bytes, "TORT");
    const version = root.int(adapterFields.formatVersion, 0);
    if (version !== 1) return refuse(`expected version 1 of the format, found ${version}`);
    // Offsets may lead to the same table any number of times.
    const found = root.tables(adapterFields.parameters) ?? [];
    return found.length <= maxParameters ? found : refuse(`it has ${found.length} parameters`);
  } catch (error) {
    if (error instanceof Error && error.name === "Error") return refuse(`this is not an adapter: ${error.message}`);
    throw error;
  }
}

function readParameter(
  table: FlatbufferTable,
  wrong: (name: string, message: string) => undefined,
): AdapterParameter | undefined {
  const name = table.text(parameterFields.name) ?? "";
  if (name === "") return wrong("", "a parameter has no name");
  const number = table.int(parameterFields.dataType, 0);
  const dtype = dtypeFromOnnx(number);
  if (!dtype || !floats.has(dtype)) return wrong(name, `elements of type ${describeDtype(number)}: expected floats`);
  const dims = (table.longs(parameterFields.dims) ?? []).map(Number);
  const bytes = table.bytes(parameterFields.rawData) ?? new Uint8Array();
  const shown = `[${dims.slice(0, 8).join(", ")}]`;
  if (dims.length > 8 || dims.some((size) => !(Number.isSafeInteger(size) && size >= 0))) {
    return wrong(name, `the dimensions ${shown} are invalid`);
  }
  if (byteLengthOf(dtype, dims) !== bytes.length) {
    return wrong(name, `${dtype} of ${shown} needs ${byteLengthOf(dtype, dims)} bytes, found ${bytes.length}`);
  }
  const bad = findNonFinite({ shape: dims, data: decodeElements(dtype, bytes, name) });
  if (bad) return wrong(name, `${counted(bad.count, "value is", "values are")} not finite`);
  return { name, dtype, dims, bytes };
}
