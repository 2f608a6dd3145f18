/**
 * Reads FlatBuffers (https://flatbuffers.dev/internals) from untrusted files: every read is within the file, or throws
 * a plain Error. Only strings are copied.
 */
export interface FlatbufferTable {
  /** A 4-byte integer field; `absent` is its default. */
  readonly int: (field: number, absent: number) => number;
  readonly text: (field: number) => string | undefined;
  readonly bytes: (field: number) => Uint8Array | undefined;
  readonly longs: (field: number) => readonly bigint[] | undefined;
  readonly tables: (field: number) => readonly FlatbufferTable[] | undefined;
}

/** The root table of a file with this identifier at byte 4. */
export function readFlatbuffer(bytes: Uint8Array, identifier: string): FlatbufferTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): number => {
    if (!(Number.isSafeInteger(at) && at >= 0 && length >= 0 && at + length <= bytes.length)) {
      throw new Error(`byte ${at} is outside the file of ${bytes.length} bytes`);
    }
    return at;
  };
  const uint16 = (at: number): number => view.getUint16(within(at, 2), true);
  const uint32 = (at: number): number => view.getUint32(within(at, 4), true);
  const int32 = (at: number): number => view.getInt32(within(at, 4), true);
  /** Offsets point forward from their own position. */
  const follow = (at: number): number => within(at + uint32(at), 4);

  if (bytes.length < 8 || new TextDecoder("latin1").decode(bytes.subarray(4, 8)) !== identifier) {
    throw new Error(`the file does not have the identifier ${identifier}`);
  }
  const table = (at: number): FlatbufferTable => {
    const vtable = within(at - int32(at), 4);
    const length = uint16(vtable);
    /** Position of a field's value; undefined: it has its default. */
    const fieldOffset = (field: number): number | undefined => {
      const entry = 4 + 2 * field;
      const offset = entry + 2 <= length ? uint16(vtable + entry) : 0;
      return offset === 0 ? undefined : at + offset;
    };
    /** Position of a vector's first element, and its element count, all within the file. */
    const vector = (field: number, size: number): { readonly first: number; readonly count: number } | undefined => {
      const at = fieldOffset(field);
      if (at === undefined) return undefined;
      const start = follow(at);
      const count = uint32(start);
      return { first: within(start + 4, count * size), count };
    };
    const each = <T>(field: number, size: number, read: (at: number) => T): readonly T[] | undefined => {
      const found = vector(field, size);
      return found && Array.from({ length: found.count }, (_, index) => read(found.first + index * size));
    };
    const slice = (field: number): Uint8Array | undefined => {
      const found = vector(field, 1);
      return found && bytes.subarray(found.first, found.first + found.count);
    };
    return {
      int: (field, absent) => {
        const at = fieldOffset(field);
        return at === undefined ? absent : int32(at);
      },
      text: (field) => {
        const found = slice(field);
        return found && new TextDecoder("utf-8", { fatal: true }).decode(found);
      },
      bytes: slice,
      longs: (field) => each(field, 8, (at) => view.getBigInt64(at, true)),
      tables: (field) => each(field, 4, (at) => table(follow(at))),
    };
  };
  return table(follow(0));
}
