/** One field of a protobuf message as stored: `raw` holds tag, length and contents. */
export interface RawField {
  readonly number: number;
  readonly raw: Uint8Array;
  /** Contents of a length-delimited field; empty for numbers. */
  readonly body: Uint8Array;
}

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** Field numbers of onnx.proto that edits touch. */
export const onnxFields = {
  model: { graph: 7 },
  graph: { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 },
  node: { input: 1, output: 2 },
  valueInfo: { name: 1, type: 2 },
  tensor: { name: 8, externalData: 13, dataLocation: 14 },
} as const;

/** Whether a field of a TensorProto holds or locates its data: all but name, type, dims and notes. */
export const isTensorData = (number: number): boolean => [4, 5, 6, 7, 9, 10, 11, 13, 14].includes(number);

/** The fields of a message in file order. `scanProtobuf` has checked the bytes before, so nothing is truncated here. */
export function splitFields(bytes: Uint8Array): readonly RawField[] {
  const found: RawField[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const [start, end] = bodyRange(bytes, tag.value % 8, tag.next);
    found.push({ number: Math.floor(tag.value / 8), raw: bytes.subarray(at, end), body: bytes.subarray(start, end) });
    at = end;
  }
  return found;
}

function bodyRange(bytes: Uint8Array, wireType: number, at: number): readonly [number, number] {
  if (wireType === 1) return [at + 8, at + 8];
  if (wireType === 5) return [at + 4, at + 4];
  const number = readVarint(bytes, at);
  return wireType === 2 ? [number.next, number.next + number.value] : [number.next, number.next];
}

/** Lengths and tags stay below 2^53; of larger numbers only the encoded length is used. */
function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next: at };
  }
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) + 128);
  }
}

/** A length-delimited field. */
export function lengthDelimited(number: number, body: Uint8Array): Uint8Array {
  return joinBytes([Uint8Array.from([...varint(number * 8 + 2), ...varint(body.length)]), body]);
}

export const stringField = (number: number, value: string): Uint8Array => lengthDelimited(number, utf8.encode(value));

export const numberField = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(number * 8), ...varint(value)]);

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The strings of one field of a message. */
export const stringsOf = (message: Uint8Array, number: number): readonly string[] =>
  splitFields(message)
    .filter((field) => field.number === number)
    .map((field) => text.decode(field.body));
