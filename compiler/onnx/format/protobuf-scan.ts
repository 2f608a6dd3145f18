import { isUtf8 } from "node:buffer";
import { fail } from "../../../ir/diagnostic.ts";
import { type FieldSchema, type MessageName, messageSchemas } from "./protobuf-schema.ts";
import { exceeded, scanLimits } from "./scan-limits.ts";

/** What the scan keeps of a message: scalars and strings by field name, and messages in file order. */
export interface ScannedMessage {
  readonly type: MessageName;
  /** Position of its first byte in the file. */
  readonly offset: number;
  readonly metadata: ReadonlyMap<string, string>;
  /** Last value of each scalar; int64 as two's complement. */
  readonly scalars: ReadonlyMap<string, bigint>;
  /** Last value of each string outside the large data fields. */
  readonly strings: ReadonlyMap<string, string>;
  readonly children: ReadonlyMap<string, readonly ScannedMessage[]>;
}

interface ScanState {
  readonly bytes: Uint8Array;
  readonly file: string;
  position: number;
  messages: number;
  fields: number;
  integers: number;
}

/** Maps are allocated with their first entry: a file may hold millions of empty messages. */
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const emptyMap: ReadonlyMap<string, never> = new Map<string, never>();

function put<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  const into = map === emptyMap ? new Map<string, T>() : (map as Map<string, T>);
  return into.set(key, value);
}

const wireTypes = ["varint", "fixed64", "length", "start group", "end group", "fixed32"] as const;
const containers = [
  { magic: [0x1f, 0x8b], what: "gzip", help: "gunzip it first" },
  {
    magic: [0x50, 0x4b, 0x03, 0x04],
    what: "zip",
    help: "unpack it first; a PyTorch .pt file must be exported to ONNX",
  },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: "zstd", help: "unzstd it first" },
  { magic: [0x42, 0x5a, 0x68], what: "bzip2", help: "bunzip2 it first" },
  { magic: [0x80, 0x02], what: "pickle", help: "export the model with torch.onnx.export" },
] as const;
const lfsPointer = "version https://git-lfs";
const textOf = new TextDecoder();

/**
 * Scans the whole file once, before any decoder runs. onnx-proto takes empty files, gzip and tag bombs for a model
 * without a graph, overflows the stack on deep nesting, trusts wire types, and drops metadata_props. Errors: MRL0102,
 * MRL0103, MRL0105 to MRL0107.
 */
export function scanProtobuf(bytes: Uint8Array, file: string, root: MessageName = "Model"): ScannedMessage {
  refuseOtherFormats(bytes, file);
  const walk: ScanState = { bytes, file, position: 0, messages: 0, fields: 0, integers: 0 };
  return readMessage(walk, root, bytes.length, root.toLowerCase(), 1);
}

function refuseOtherFormats(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) {
    fail({ code: "MRL0102", message: "expected an ONNX model, found an empty file", at: file });
  }
  if (bytes.length > scanLimits.bytes) {
    fail({
      code: "MRL0106",
      message: `the file has ${bytes.length} bytes; the limit of protobuf is ${scanLimits.bytes}`,
      at: file,
      help: "keep the weights beside the model: onnx.save(model, path, save_as_external_data=True)",
    });
  }
  const container = containers.find(({ magic }) => magic.every((byte, index) => bytes[index] === byte));
  if (container) {
    fail({
      code: "MRL0103",
      message: `expected an ONNX model, found a ${container.what} file`,
      at: file,
      help: container.help,
    });
  }
  if (textOf.decode(bytes.subarray(0, lfsPointer.length)) === lfsPointer) {
    fail({
      code: "MRL0103",
      message: "expected an ONNX model, found a Git LFS pointer",
      at: file,
      help: "run git lfs pull",
    });
  }
}

function readMessage(walk: ScanState, type: MessageName, end: number, path: string, depth: number): ScannedMessage {
  if (depth > scanLimits.depth) failLimit(walk, "depth", path);
  if (++walk.messages > scanLimits.messages) failLimit(walk, "messages", path);
  const message: Mutable<ScannedMessage> = {
    type,
    offset: walk.position,
    metadata: emptyMap,
    scalars: emptyMap,
    strings: emptyMap,
    children: emptyMap,
  };
  const schema = messageSchemas[type];
  while (walk.position < end) {
    if (++walk.fields > scanLimits.fields) failLimit(walk, "fields", path);
    const start = walk.position;
    const tag = readVarint(walk, end, path);
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (number === 0 || tag > 0xffffffffn) failMalformed(walk, start, path, `field number ${tag >> 3n} does not exist`);
    if (wireType === 3 || wireType === 4) {
      fail({
        code: "MRL0107",
        message: `the file uses a protobuf group (${wireTypes[wireType]}); ONNX has none`,
        at: fieldLocation(walk, start, path),
      });
    }
    const field = schema.get(number);
    if (!field) skip(walk, wireType, end, path);
    else readField(walk, message, field, wireType, { start, end, path, depth });
  }
  return message;
}

interface FieldPosition {
  readonly start: number;
  readonly end: number;
  readonly path: string;
  readonly depth: number;
}

function readField(
  walk: ScanState,
  message: Mutable<ScannedMessage>,
  field: FieldSchema,
  wireType: number,
  where: FieldPosition,
): void {
  const { layout, name } = field;
  if (layout.kind === "message") {
    expectWireType(walk, wireType, "length", name, where);
    const end = readLength(walk, where.end, where.path);
    const siblings = (message.children.get(name) as ScannedMessage[] | undefined) ?? [];
    // Decoders differ on a repeated singular message (merge, or last wins): two readers would see two models.
    if (siblings.length > 0 && !layout.repeated) {
      failMalformed(walk, where.start, where.path, `${name} occurs twice`);
    }
    const path = layout.repeated ? `${where.path}.${name}[${siblings.length}]` : `${where.path}.${name}`;
    const child = readMessage(walk, layout.message, end, path, where.depth + 1);
    if (name === "metadata_props") {
      message.metadata = put(message.metadata, child.strings.get("key") ?? "", child.strings.get("value") ?? "");
    } else {
      siblings.push(child);
      message.children = put<readonly ScannedMessage[]>(message.children, name, siblings);
    }
    return;
  }
  if (layout.kind === "string" || layout.kind === "bytes") {
    expectWireType(walk, wireType, "length", name, where);
    const end = readLength(walk, where.end, where.path);
    if (layout.kind === "string") {
      const text = walk.bytes.subarray(walk.position, end);
      if (!isUtf8(text)) failMalformed(walk, where.start, where.path, `${name} is not UTF-8`);
      if (name !== "doc_string") message.strings = put(message.strings, name, textOf.decode(text));
    }
    walk.position = end;
    return;
  }
  if (layout.repeated && wireTypes[wireType] === "length") {
    skipPacked(walk, layout.kind, readLength(walk, where.end, where.path), where.path);
    return;
  }
  expectWireType(walk, wireType, layout.kind, name, where);
  if (layout.kind === "varint") {
    const value = BigInt.asIntN(64, readVarint(walk, where.end, where.path));
    message.scalars = put(message.scalars, name, value);
  } else skip(walk, wireType, where.end, where.path);
}

function expectWireType(walk: ScanState, found: number, expected: string, name: string, where: FieldPosition): void {
  if (wireTypes[found] === expected) return;
  const what = wireTypes[found] ?? `wire type ${found}`;
  failMalformed(walk, where.start, where.path, `${name} is encoded as ${what}; expected ${expected}`);
}

/** At most ten bytes, and no bit beyond the 64th. */
function readVarint(walk: ScanState, end: number, path: string): bigint {
  const start = walk.position;
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (walk.position >= end) failMalformed(walk, start, path, "a number is truncated");
    const byte = walk.bytes[walk.position++]!;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 28n; shift < 70n; shift += 7n) {
    if (walk.position >= end) failMalformed(walk, start, path, "a number is truncated");
    const byte = walk.bytes[walk.position++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value >> 64n) failMalformed(walk, start, path, "a number has more than 64 bits");
      return value;
    }
  }
  return failMalformed(walk, start, path, "a number has more than ten bytes");
}

/** Reads a length, and returns the end of that field. */
function readLength(walk: ScanState, end: number, path: string): number {
  const start = walk.position;
  const length = readVarint(walk, end, path);
  if (length > BigInt(end - walk.position)) {
    failMalformed(
      walk,
      start,
      path,
      `a field of ${length} bytes exceeds its message: ${end - walk.position} bytes are left`,
    );
  }
  return walk.position + Number(length);
}

function skipPacked(walk: ScanState, kind: "varint" | "fixed32" | "fixed64", end: number, path: string): void {
  const width = kind === "fixed32" ? 4 : 8;
  if (kind === "varint") {
    let continued = 0;
    for (let index = walk.position; index < end; index++) {
      const ends = walk.bytes[index]! < 0x80;
      continued = ends ? 0 : continued + 1;
      if (ends && ++walk.integers > scanLimits.integers) failLimit(walk, "integers", path);
      if (continued > 9) failMalformed(walk, index, path, "a number has more than ten bytes");
    }
    if (continued > 0) failMalformed(walk, end, path, "a number is truncated");
  } else if ((end - walk.position) % width !== 0) {
    failMalformed(walk, walk.position, path, `a packed list of ${end - walk.position} bytes has items of ${width}`);
  }
  walk.position = end;
}

function skip(walk: ScanState, wireType: number, end: number, path: string): void {
  const start = walk.position;
  const what = wireTypes[wireType];
  if (what === "varint") readVarint(walk, end, path);
  else if (what === "length") walk.position = readLength(walk, end, path);
  else if (what === "fixed32") walk.position += 4;
  else if (what === "fixed64") walk.position += 8;
  else failMalformed(walk, start, path, `wire type ${wireType} does not exist`);
  if (walk.position > end) failMalformed(walk, start, path, "a number is truncated");
}

function fieldLocation(walk: ScanState, offset: number, path: string): string {
  return `${walk.file}, byte ${offset}, in ${path}`;
}

function failMalformed(walk: ScanState, offset: number, path: string, what: string): never {
  return fail({
    code: "MRL0105",
    message: `this is not a well-formed ONNX file: ${what}`,
    at: fieldLocation(walk, offset, path),
    help: "the file may be truncated or not ONNX: check its size, then export or download it again",
  });
}

function failLimit(walk: ScanState, limit: keyof typeof exceeded, path: string): never {
  const [what, help] = exceeded[limit];
  const message = `the file exceeds a limit: ${what}`;
  return fail({ code: "MRL0106", message, at: fieldLocation(walk, walk.position, path), help });
}
