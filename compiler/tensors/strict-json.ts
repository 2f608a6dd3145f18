import { fail } from "../../ir/diagnostic.ts";

/** Objects are Maps, so a key of the file never reaches a prototype. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

interface JsonCursor {
  readonly text: string;
  readonly file: string;
  readonly code: string;
  position: number;
  values: number;
}

const maxDepth = 64;
/** Node's strings end at 2^29, and every value takes tens of bytes. */
const maxLength = 2 ** 28;
const maxValues = 2 ** 23;
const literals = [
  ["null", null],
  ["true", true],
  ["false", false],
] as const;
/** A generous bound: 17 digits describe a double exactly. JSON.parse then interprets the characters. */
const numberPattern = /[-+.eE\d]{1,400}/y;

/**
 * Parses JSON like JSON.parse, but refuses a repeated key: two readers would see two different files. Errors: `code`.
 */
export function parseJson(text: string, file: string, code: string): Json {
  const cursor: JsonCursor = { text, file, code, position: 0, values: 0 };
  const value = readValue(cursor, 1);
  skipSpace(cursor);
  if (cursor.position < text.length) failAt(cursor, "expected the end after the value");
  return value;
}

/** Parses the UTF-8 bytes of a file with `parseJson`. */
export function parseJsonBytes(bytes: Uint8Array, file: string, code: string): Json {
  if (bytes.length > maxLength) {
    fail({ code, message: `${bytes.length} bytes of JSON; the limit is ${maxLength}`, at: file });
  }
  return parseJson(new TextDecoder().decode(bytes), file, code);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

function readValue(cursor: JsonCursor, depth: number): Json {
  if (depth > maxDepth) failAt(cursor, `it nests deeper than ${maxDepth}`);
  if (++cursor.values > maxValues) failAt(cursor, `it holds more than ${maxValues} values`);
  skipSpace(cursor);
  const { text, position } = cursor;
  const first = text[position];
  if (first === "{") return readObject(cursor, depth);
  if (first === "[") return readArray(cursor, depth);
  if (first === '"') return readString(cursor);
  for (const [literal, value] of literals) {
    if (!text.startsWith(literal, position)) continue;
    cursor.position += literal.length;
    return value;
  }
  return readNumber(cursor);
}

function readNumber(cursor: JsonCursor): number {
  numberPattern.lastIndex = cursor.position;
  const token = numberPattern.exec(cursor.text)?.[0];
  if (token === undefined) return failAt(cursor, "expected a value");
  const value = parseToken(cursor, token, "found a malformed number");
  cursor.position += token.length;
  return value as number;
}

function readObject(cursor: JsonCursor, depth: number): JsonObject {
  const object = new Map<string, Json>();
  cursor.position++;
  if (accept(cursor, "}")) return object;
  do {
    skipSpace(cursor);
    const key = readString(cursor);
    if (object.has(key)) failAt(cursor, `the key ${JSON.stringify(key)} occurs twice`);
    if (!accept(cursor, ":")) failAt(cursor, 'expected ":"');
    object.set(key, readValue(cursor, depth + 1));
  } while (accept(cursor, ","));
  if (!accept(cursor, "}")) failAt(cursor, 'expected "}"');
  return object;
}

function readArray(cursor: JsonCursor, depth: number): readonly Json[] {
  const array: Json[] = [];
  cursor.position++;
  if (accept(cursor, "]")) return array;
  do array.push(readValue(cursor, depth + 1));
  while (accept(cursor, ","));
  if (!accept(cursor, "]")) failAt(cursor, 'expected "]"');
  return array;
}

function readString(cursor: JsonCursor): string {
  const { text, position } = cursor;
  if (text[position] !== '"') return failAt(cursor, "expected a string");
  // Not one pattern: V8 runs out of stack on long strings with escapes.
  let end = position + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  const value = parseToken(cursor, text.slice(position, end + 1), "a string is truncated or has a broken escape");
  cursor.position = end + 1;
  return value as string;
}

function parseToken(cursor: JsonCursor, token: string, fault: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return failAt(cursor, fault);
  }
}

function skipSpace(cursor: JsonCursor): void {
  while (" \t\n\r".includes(cursor.text[cursor.position] ?? "x")) cursor.position++;
}

function accept(cursor: JsonCursor, character: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.position] !== character) return false;
  cursor.position++;
  return true;
}

function failAt(cursor: JsonCursor, what: string): never {
  return fail({
    code: cursor.code,
    message: `this is not valid JSON: ${what}`,
    at: `${cursor.file}, character ${cursor.position}`,
  });
}
