/** Checks of parsed JSON. A record has its fields and no others: what nobody reads has no place in a build. */
export type ValueCheck = (value: unknown) => boolean;

export const text: ValueCheck = (value) => typeof value === "string";
export const flag: ValueCheck = (value) => typeof value === "boolean";
export const integer: ValueCheck = (value) => Number.isSafeInteger(value);
export const number: ValueCheck = (value) => typeof value === "number" && Number.isFinite(value);
export const oneOf =
  (...values: readonly unknown[]): ValueCheck =>
  (value) =>
    values.includes(value);
export const list =
  (item: ValueCheck): ValueCheck =>
  (value) =>
    Array.isArray(value) && value.every(item);
export const pairOf =
  (item: ValueCheck): ValueCheck =>
  (value) =>
    Array.isArray(value) && value.length === 2 && value.every(item);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A record with any names. */
export const recordOf =
  (item: ValueCheck): ValueCheck =>
  (value) =>
    isObject(value) && Object.values(value).every(item);

/** A record of exactly these fields, and some of the optional ones. */
export const fields = (
  required: Readonly<Record<string, ValueCheck>>,
  optional: Readonly<Record<string, ValueCheck>> = {},
): ValueCheck => {
  const checks = new Map([...Object.entries(required), ...Object.entries(optional)]);
  return (value) =>
    isObject(value) &&
    Object.keys(required).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, item]) => checks.get(name)?.(item) ?? false);
};

/** Spaces, the order of digits and doubled keys say nothing: the text is the one that its data has. */
export function parseCanonicalJson(bytes: Uint8Array): unknown {
  const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(json);
  if (`${JSON.stringify(value, undefined, 2)}\n` !== json) throw new Error("expected the text that its data has");
  return value;
}
