import { crc32, inflateRawSync } from "node:zlib";
import { fail } from "../../ir/diagnostic.ts";
import { fileDiagnostic } from "./files/index.ts";
import { type NpyDtype, readNpy, type TypedTensor, writeNpy } from "./npy.ts";

interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/** Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16. */
const localHeader = { signature: 0x04034b50, bytes: 30 } as const;
const centralHeader = { signature: 0x02014b50, bytes: 46 } as const;
const endRecord = { signature: 0x06054b50, bytes: 22 } as const;
const maxComment = 0xffff;
/**
 * Limits inputs of a model; weights do not come as .npz. Stops a zip bomb: bytes become doubles, eight times as large.
 */
const maxUnpackedBytes = 2 ** 27;

/** Reads the arrays of an .npz file by name, stored or deflated. Errors: MRL0151, and those of `readNpy`. */
export function readNpz(bytes: Uint8Array, file: string): ReadonlyMap<string, TypedTensor> {
  const arrays = new Map<string, TypedTensor>();
  let total = 0;
  for (const entry of readDirectory(bytes, file)) {
    const at = `${file}, entry "${entry.name}"`;
    if (!entry.name.endsWith(".npy")) failArchive(at, "it is not a .npy array");
    total += entry.size;
    if (total > maxUnpackedBytes) failArchive(file, `it unpacks to more than ${maxUnpackedBytes} bytes`);
    const name = entry.name.slice(0, -4);
    if (arrays.has(name)) failArchive(at, "the name occurs twice");
    arrays.set(name, readNpy(unpack(bytes, entry, at), at));
  }
  return arrays;
}

function readDirectory(bytes: Uint8Array, file: string): readonly ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - endRecord.bytes;
  const lowest = Math.max(0, end - maxComment);
  while (end >= lowest && view.getUint32(end, true) !== endRecord.signature) end--;
  if (end < lowest) return failArchive(file, "it has no zip directory; it may be truncated");
  const count = view.getUint16(end + 10, true);
  const entries: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index++) {
    if (at + centralHeader.bytes > end || view.getUint32(at, true) !== centralHeader.signature) {
      return failArchive(file, "its zip directory is damaged");
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const nameStart = at + centralHeader.bytes;
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(nameStart, nameStart + nameLength!)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = nameStart + nameLength! + extraLength! + commentLength!;
  }
  return entries;
}

function unpack(bytes: Uint8Array, entry: ZipEntry, at: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { offset } = entry;
  if (offset + localHeader.bytes > bytes.length || view.getUint32(offset, true) !== localHeader.signature) {
    return failArchive(at, "its header is damaged");
  }
  const start = offset + localHeader.bytes + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  const packed = bytes.subarray(start, start + entry.packed);
  if (packed.length !== entry.packed) return failArchive(at, "it is truncated");
  const data = entry.method === 0 ? packed : entry.method === 8 ? inflate(packed, entry.size, at) : undefined;
  if (!data) return failArchive(at, `zip method ${entry.method} is not supported: only stored and deflated are`);
  if (data.length !== entry.size)
    return failArchive(at, `it unpacks to ${data.length} bytes; its header declares ${entry.size}`);
  if (crc32(data) !== entry.crc) return failArchive(at, "its checksum is wrong: the file is damaged");
  return data;
}

function inflate(packed: Uint8Array, size: number, at: string): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  } catch {
    return failArchive(at, "its compressed data is damaged");
  }
}

function failArchive(at: string, message: string): never {
  return fail(fileDiagnostic("MRL0151", at, `this .npz file cannot be read: ${message}`));
}

/** Writes stored entries dated 1980-01-01, the first day of zip: the same arrays give the same bytes. */
export function writeNpz(arrays: ReadonlyMap<string, TypedTensor & { readonly dtype: NpyDtype }>): Uint8Array {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const [key, array] of arrays) {
    const name = new TextEncoder().encode(`${key}.npy`);
    const data = writeNpy(array);
    const crc = crc32(data);
    // version 2.0, UTF-8 names, stored, time 0, date 1980-01-01
    const shared = u16(20, 0x0800, 0, 0, 0x0021).concat(u32(crc, data.length, data.length), u16(name.length, 0));
    const local = Uint8Array.from([...u32(localHeader.signature), ...shared, ...name]);
    locals.push(local, data);
    const tail = u16(0, 0, 0).concat(u32(0, offset));
    central.push(Uint8Array.from([...u32(centralHeader.signature), ...u16(20), ...shared, ...tail, ...name]));
    offset += local.length + data.length;
  }
  const size = central.reduce((sum, part) => sum + part.length, 0);
  const count = arrays.size;
  const end = [...u32(endRecord.signature), ...u16(0, 0, count, count), ...u32(size, offset), ...u16(0)];
  return new Uint8Array(Buffer.concat([...locals, ...central, Uint8Array.from(end)]));
}

function u16(...values: number[]): number[] {
  return values.flatMap((value) => [value & 0xff, (value >> 8) & 0xff]);
}

function u32(...values: number[]): number[] {
  return values.flatMap((value) => [...u16(value & 0xffff), ...u16(value >>> 16)]);
}
