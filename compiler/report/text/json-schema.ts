/** The part of JSON Schema (2020-12) in which `--json` is described, and a short notation for it. */
export interface JsonSchema {
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly const?: number;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
}

type Properties = Readonly<Record<string, JsonSchema>>;

export const text: JsonSchema = { type: "string" };
export const number: JsonSchema = { type: "number" };
export const count: JsonSchema = { type: "integer" };
export const flag: JsonSchema = { type: "boolean" };
export const anything: JsonSchema = {};
export const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
export const map = (additionalProperties: JsonSchema): JsonSchema => ({ type: "object", additionalProperties });
/** Properties outside `optional` are required; unknown properties are allowed. */
export const object = (properties: Properties, optional: Properties = {}): JsonSchema => ({
  type: "object",
  properties: { ...properties, ...optional },
  required: Object.keys(properties),
});
export const document = (properties: Properties, optional: Properties = {}): JsonSchema =>
  object({ schema: { const: 1 }, ...properties }, optional);
