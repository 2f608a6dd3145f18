import { type LinkProfile, parseLink } from "../../runtime/transport/index.ts";
import { UsageError } from "./errors.ts";

/**
 * What an option may hold: undefined for a value that fits, otherwise what was expected. A JavaScript caller has no
 * types, and an option that is ignored or misread decides who learns what.
 */
export type Field = (value: unknown, at: string) => readonly string[];

/** The fields of an options object: a table that misses one of them does not compile. */
export type Fields<T> = { readonly [K in keyof T]-?: Field | Required };

interface Required {
  readonly required: Field;
}

export const required = (field: Field): Required => ({ required: field });

const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
};

const wrong = (at: string, expected: string, value: unknown): readonly string[] => [
  `${at}: expected ${expected}, found ${shown(value)}`,
];

const field =
  (expected: string, fits: (value: unknown) => boolean): Field =>
  (value, at) =>
    fits(value) ? [] : wrong(at, expected, value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

export const anyText = field("a text", (value) => typeof value === "string");
export const text = field("a text that is not empty", (value) => typeof value === "string" && value !== "");
export const flag = field("true or false", (value) => typeof value === "boolean");
export const callback = field("a function", (value) => typeof value === "function");
export const signal = field("an AbortSignal", (value) => value instanceof AbortSignal);
export const oneOf = (values: readonly string[]): Field =>
  field(values.join(" or "), (value) => values.includes(value as string));
export const integer = (least: number, most = Number.MAX_SAFE_INTEGER): Field =>
  field(
    most === Number.MAX_SAFE_INTEGER ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );
export const number = (expected: string, fits: (value: number) => boolean): Field =>
  field(expected, (value) => typeof value === "number" && Number.isFinite(value) && fits(value));

/** One of several forms, told apart by the type of the value. */
export const either =
  (...forms: readonly (readonly [is: (value: unknown) => boolean, form: Field])[]): Field =>
  (value, at) =>
    (forms.find(([is]) => is(value)) ?? forms.at(-1)!)[1](value, at);
export const isText = (value: unknown): boolean => typeof value === "string";

export const listOf =
  (item: Field): Field =>
  (value, at) =>
    Array.isArray(value) ? [...value].flatMap((each, i) => item(each, `${at}[${i}]`)) : wrong(at, "a list", value);

/** Values by names that the caller chooses. */
export const recordOf =
  (item: Field): Field =>
  (value, at) =>
    isObject(value) && !(value instanceof Map)
      ? Object.entries(value).flatMap(([name, each]) => item(each, `${at}.${name}`))
      : wrong(at, "an object with values by name", value);

const namedAt = (at: string, key: string): string => (at === "" ? key : `${at}.${key}`);

/** An object with these fields, and any others: a running `Service` is an address as well. */
const objectWith =
  <T>(fields: Fields<T>): Field =>
  (value, at) =>
    isObject(value)
      ? Object.entries<Field | Required>(fields).flatMap(([key, rule]) => {
          const given = value[key];
          if (given !== undefined) return (typeof rule === "function" ? rule : rule.required)(given, namedAt(at, key));
          return typeof rule === "function" ? [] : [`${namedAt(at, key)}: expected a value, found none`];
        })
      : wrong(at, "an object", value);

/** An object with these fields and no other; an undefined value is one that is not given. */
export const objectOf = <T>(fields: Fields<T>): Field => {
  const known = objectWith(fields);
  const expected = Object.keys(fields).join(", ");
  return (value, at) => [
    ...Object.keys(isObject(value) ? value : {})
      .filter((key) => !Object.hasOwn(fields, key))
      .map((key) => `${namedAt(at, key)}: expected one of ${expected}`),
    ...known(value, at),
  ];
};

const profile = objectWith<LinkProfile>({
  name: required(text),
  mbitPerSecond: required(number("a number above 0", (value) => value > 0)),
  roundTripMs: required(number("a number of at least 0", (value) => value >= 0)),
});
const namedLink: Field = (value, at) => {
  try {
    parseLink(value as string);
    return [];
  } catch (error) {
    return [`${at}: ${(error as Error).message}`];
  }
};
export const link = either([isText, namedLink], [() => true, profile]);
/** `endpointOf` reads the text. */
export const address = either(
  [isText, text],
  [() => true, objectWith<{ host: string; port: number }>({ host: required(text), port: required(integer(0, 65535)) })],
);

/** @throws UsageError with every problem of the options of this function */
export function checkOptions<T>(name: string, fields: Fields<T>, options: unknown): asserts options is T {
  const problems = objectOf(fields)(options, "");
  if (problems.length > 0)
    throw new UsageError(`${name}: ${problems.map((each) => each.replace(/^: /, "")).join("; ")}`);
}
