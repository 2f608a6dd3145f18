import type { Attrs } from "../../module.ts";

/** ir/verify.ts has checked attributes; these functions give them their static type, and throw if one has another. */
export function numberOf(attrs: Attrs, name: string): number {
  const value = attrs[name];
  if (typeof value !== "number")
    throw new Error(`attribute ${name}: expected a number, found ${JSON.stringify(value)}`);
  return value;
}

export function boolOf(attrs: Attrs, name: string): boolean {
  const value = attrs[name];
  if (typeof value !== "boolean")
    throw new Error(`attribute ${name}: expected true or false, found ${JSON.stringify(value)}`);
  return value;
}

export function numberListOf(attrs: Attrs, name: string): readonly number[] {
  const value = attrs[name];
  if (!Array.isArray(value)) throw new Error(`attribute ${name}: expected a list, found ${JSON.stringify(value)}`);
  return value as readonly number[];
}

/** The entry of a table that a string attribute names. */
export function choiceOf<T>(attrs: Attrs, name: string, table: Readonly<Record<string, T>>): T {
  const value = attrs[name];
  if (typeof value === "string" && Object.hasOwn(table, value)) return table[value]!;
  const known = Object.keys(table).join(", ");
  throw new Error(`attribute ${name}: expected one of ${known}, found ${JSON.stringify(value)}`);
}

/** A numeric ONNX attribute, or its default in ONNX. */
export function onnxNumber(onnx: Attrs, name: string, absent: number): number {
  const value = onnx[name];
  return typeof value === "number" ? value : absent;
}
