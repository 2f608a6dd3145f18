import type { JsonSchema } from "../../compiler/report/text/schemas.ts";

const typeOf = (value: unknown): string => (Array.isArray(value) ? "array" : typeof value);

const fits = (value: unknown, { type }: JsonSchema): boolean =>
  type === undefined || (type === "integer" ? Number.isInteger(value) : value !== null && typeOf(value) === type);

/** Where a document breaks its schema: the part of JSON Schema that ours use. */
export function violations(value: unknown, schema: JsonSchema, at = "$"): readonly string[] {
  if (!fits(value, schema)) return [`${at} is ${typeOf(value)}, not ${schema.type}`];
  if (schema.const !== undefined && value !== schema.const) return [`${at} is ${value}, not ${schema.const}`];
  if (Array.isArray(value)) return value.flatMap((item, k) => violations(item, schema.items ?? {}, `${at}[${k}]`));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Readonly<Record<string, unknown>>;
  const missing = (schema.required ?? []).filter((name) => fields[name] === undefined);
  const inner = Object.entries(fields).flatMap(([name, field]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    return known ? violations(field, known, `${at}.${name}`) : [];
  });
  return [...missing.map((name) => `${at} lacks ${name}`), ...inner];
}
