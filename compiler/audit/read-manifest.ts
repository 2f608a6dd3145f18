/** The fields of manifest.json that the flow checker reads. */
export interface ParsedManifest {
  readonly name: string;
  readonly setting: string;
  readonly security: string;
  readonly programHash: string;
  readonly artefactsHash: string;
  readonly weights: readonly {
    readonly name: string;
    readonly label: string;
    readonly sha256?: string;
  }[];
  /** Tables of the graph that are not weights, with the SHA-256 of their bytes. */
  readonly constants: readonly { readonly name: string; readonly sha256: string }[];
  readonly inputs: readonly { readonly name: string; readonly label: string }[];
  readonly cuts: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly shape: readonly number[];
    /** The tensor holds indices, which are not shared and have no range. */
    readonly rows?: number;
    readonly range?: readonly number[];
  }[];
  /** What the server computes from its own inputs and shares. */
  readonly serverCuts?: ParsedManifest["cuts"];
  /** Inputs that arrive as shares, and outputs that stay shared. */
  readonly sharedInputs?: readonly ParsedShared[];
  readonly sharedOutputs?: readonly ParsedShared[];
  readonly tails: readonly { readonly value: string; readonly from: string; readonly output: string }[];
  readonly clientOutputs: readonly string[];
  /** What the provider publishes of its private weights: exponents of bounds. */
  readonly calibration?: { readonly published?: PublishedIntegers };
  /** The one bit that the client learns beside the reveals. */
  readonly guard?: { readonly value: string };
  /** What the client keeps of its own layers between positions: inputs and outputs of its graphs, in the clear. */
  readonly clear?: {
    readonly places: string;
    readonly kept: readonly { readonly past: string; readonly present: string }[];
  };
  readonly reveals: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly to: string;
    readonly shape: readonly number[];
  }[];
}

/** A value that passes between programs in shares. */
export interface ParsedShared {
  readonly value: string;
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  readonly range: readonly number[];
}

export interface PublishedIntegers {
  readonly integers: number;
  readonly bits: number;
  readonly bounds: readonly { readonly value: string; readonly bound: string; readonly exponent: number }[];
}

type FieldCheck = (value: unknown) => boolean;
const text: FieldCheck = (value) => typeof value === "string";
const integer: FieldCheck = (value) => Number.isSafeInteger(value);
const interval: FieldCheck = (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
const shape: FieldCheck = (value) => Array.isArray(value) && value.every(Number.isSafeInteger);
const list =
  (item: FieldCheck): FieldCheck =>
  (value) =>
    Array.isArray(value) && value.every(item);
const fields =
  (checks: Readonly<Record<string, FieldCheck>>): FieldCheck =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(checks).every(([name, check]) => check((value as Readonly<Record<string, unknown>>)[name]));

const optional =
  (check: FieldCheck): FieldCheck =>
  (value) =>
    value === undefined || check(value);

const cut = fields({ value: text, tensor: text, shape, rows: optional(integer), range: optional(interval) });

const sharedValue = fields({ value: text, tensor: text, shape, width: integer, scale: integer, range: interval });

const isManifest = fields({
  name: text,
  setting: text,
  security: text,
  programHash: text,
  artefactsHash: text,
  weights: list(fields({ name: text, label: text, sha256: optional(text) })),
  constants: list(fields({ name: text, sha256: text })),
  inputs: list(fields({ name: text, label: text })),
  cuts: list(cut),
  serverCuts: optional(list(cut)),
  sharedInputs: optional(list(sharedValue)),
  sharedOutputs: optional(list(sharedValue)),
  tails: list(fields({ value: text, from: text, output: text })),
  clientOutputs: list(text),
  calibration: optional(
    fields({
      published: optional(
        fields({
          integers: integer,
          bits: integer,
          bounds: list(fields({ value: text, bound: text, exponent: integer })),
        }),
      ),
    }),
  ),
  clear: optional(fields({ places: text, kept: list(fields({ past: text, present: text })) })),
  guard: optional(fields({ value: text })),
  reveals: list(fields({ value: text, tensor: text, to: text, shape })),
});

/** Undefined where the text is not a manifest. */
export function parseManifest(json: string): ParsedManifest | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isManifest(value) ? (value as ParsedManifest) : undefined;
  } catch {
    return undefined;
  }
}
