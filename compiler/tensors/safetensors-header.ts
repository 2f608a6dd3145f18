import { isUtf8 } from "node:buffer";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Dtype } from "./dtype.ts";
import { byteLengthOf } from "./element-codecs.ts";
import { type Checked, fileDiagnostic, invalid, readFileHead, valid } from "./files/index.ts";
import { isObject, type Json, type JsonObject, parseJson } from "./strict-json.ts";

/** The position of one tensor in its file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** The limit of the format. Source: huggingface/safetensors, MAX_HEADER_SIZE. */
const maxHeaderBytes = 100_000_000;

export const safetensorsDtypes: ReadonlyMap<string, Dtype> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U64", "uint64"],
  ["U32", "uint32"],
  ["U16", "uint16"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

/**
 * Reads and checks the header of a file: 8 bytes of length, then JSON, then the tensors without gaps or overlaps.
 * Errors: MRL0130 to MRL0132.
 */
export function readSafetensorsHeader(file: string): SafetensorsHeader {
  const start = readFileHead(file, 8, "MRL0130");
  const length = headerLength(start.head, start.size, file);
  return parseSafetensorsHeader(readFileHead(file, 8 + length, "MRL0130").head, start.size, file);
}

/** Checks a header in memory. `head` holds at least the header; `size` is the length of the whole file in bytes. */
export function parseSafetensorsHeader(head: Uint8Array, size: number, file: string): SafetensorsHeader {
  const length = headerLength(head, size, file);
  const bytes = head.subarray(8, 8 + length);
  if (!isUtf8(bytes)) fail(fileDiagnostic("MRL0130", file, "the header is not UTF-8"));
  const json = parseJson(new TextDecoder().decode(bytes), file, "MRL0130");
  if (!isObject(json)) return fail(fileDiagnostic("MRL0130", file, "the header is not an object"));
  const problems: Diagnostic[] = [];
  const entries: SafetensorsEntry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of json) {
    if (name === "__metadata__") {
      const text = isObject(value) && [...value.values()].every((item) => typeof item === "string");
      if (text) metadata = value as ReadonlyMap<string, string>;
      else problems.push(fileDiagnostic("MRL0130", file, "__metadata__ must map strings to strings"));
    } else {
      const entry = readEntry(name, value, file, 8 + length);
      problems.push(...entry.problems);
      if (entry.value) entries.push(entry.value);
    }
  }
  throwIfAny(problems);
  checkLayout(entries, 8 + length, size, file);
  return { entries, metadata };
}

function headerLength(head: Uint8Array, size: number, file: string): number {
  if (head.length < 8) {
    fail(fileDiagnostic("MRL0130", file, `the file has ${size} bytes; a safetensors file has at least 8`));
  }
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes) || length > BigInt(size - 8)) {
    const message = `the length field declares a header of ${length} bytes; the file has ${size}`;
    fail(fileDiagnostic("MRL0130", file, message, "is this a safetensors file, and complete?"));
  }
  return Number(length);
}

function readEntry(name: string, value: Json, file: string, base: number): Checked<SafetensorsEntry> {
  const at = `${file}, tensor "${name}"`;
  const entry: JsonObject = isObject(value) ? value : new Map();
  const type = entry.get("dtype");
  const dtype = typeof type === "string" ? safetensorsDtypes.get(type) : undefined;
  if (!dtype) {
    return invalid(fileDiagnostic("MRL0132", at, `elements of type ${JSON.stringify(type)} are not supported`));
  }
  const shape = readShape(entry.get("shape"));
  const offsets = readShape(entry.get("data_offsets"));
  const [begin, end] = offsets ?? [];
  if (!shape || begin === undefined || end === undefined || offsets?.length !== 2 || begin > end) {
    return invalid(fileDiagnostic("MRL0130", at, "shape and data_offsets must be lists of integers"));
  }
  const expected = byteLengthOf(dtype, shape);
  if (end - begin !== expected) {
    const message = `the tensor takes ${end - begin} bytes; ${dtype} of [${shape.join(", ")}] needs ${expected}`;
    return invalid(fileDiagnostic("MRL0131", at, message));
  }
  return valid({ name, dtype, shape, file, offset: base + begin, length: end - begin });
}

function readShape(value: Json | undefined): readonly number[] | undefined {
  const valid = Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
  return valid ? (value as readonly number[]) : undefined;
}

/**
 * Every byte after the header belongs to exactly one tensor: nothing hides in the file, and no two tensors share bytes.
 */
function checkLayout(entries: readonly SafetensorsEntry[], base: number, size: number, file: string): void {
  const inOrder = [...entries].sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = base;
  for (const entry of inOrder) {
    if (entry.offset !== end) {
      const what = entry.offset < end ? "overlaps the tensor before it" : `leaves ${entry.offset - end} bytes unused`;
      fail(fileDiagnostic("MRL0131", `${file}, tensor "${entry.name}"`, `the tensor ${what}`));
    }
    end = entry.offset + entry.length;
  }
  if (end !== size) fail(fileDiagnostic("MRL0131", file, `the tensors end at byte ${end}; the file has ${size}`));
}
