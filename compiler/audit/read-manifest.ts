import {
  fields,
  integer,
  list,
  number,
  oneOf,
  pairOf,
  parseCanonicalJson,
  recordOf,
  text,
  type ValueCheck,
} from "./json-schema.ts";

/** The fields of manifest.json that the flow checker reads. */
export interface ParsedManifest {
  readonly name: string;
  readonly setting: string;
  readonly security: string;
  /** Absent: marillc's own. */
  readonly numerics?: string;
  /** Words for readers. */
  readonly caveats?: readonly string[];
  readonly roles?: Readonly<Record<string, string>>;
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
  /** SHA-256 of the integers that programs use for public weights, by their names in the weight files. */
  readonly integers?: readonly { readonly tensor: string; readonly sha256: string }[];
  readonly errors?: readonly { readonly tensor: string; readonly declared: number | null }[];
  /** How near to another decision a value may go either way. */
  readonly decisions?: readonly { readonly value: string; readonly at: string; readonly distance: number | null }[];
  /** Shared values of the first program by ring width. */
  readonly rings?: readonly { readonly width: number; readonly values: number }[];
  readonly calibration?: { readonly published?: PublishedIntegers };
  /** Traffic of one query. */
  readonly predicted?: Readonly<Record<"offline" | "online", PredictedCost>>;
  /** The one bit that the client learns beside the reveals. */
  readonly guard?: {
    readonly value: string;
    readonly headroom?: number;
    readonly elements?: number;
    readonly layers?: readonly string[];
  };
  /** Further programs, for a part of the window. */
  readonly decode?: ParsedChunk & { readonly windows?: readonly ParsedChunk[] };
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

export interface PredictedCost {
  readonly rounds: number;
  /** By link, such as `client→server`. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** What a program for a part of the window says beside what the manifest says of every program. */
export interface ParsedChunk {
  readonly places?: number;
  /** Masked values that it keeps. */
  readonly kept?: readonly { readonly name: string; readonly shape: readonly number[]; readonly width: number }[];
  readonly cuts: readonly {
    readonly value: string;
    readonly shape: readonly number[];
    readonly axis?: number;
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

/** Words of the manifest that are no names have a form, so that nothing else is said in their place. */
const like =
  (form: RegExp): ValueCheck =>
  (value) =>
    typeof value === "string" && form.test(value);
const digest = like(/^[0-9a-f]{64}$/);
const word = like(/^[A-Za-z0-9.+-]{1,32}$/);
const shape: ValueCheck = (value) => list(integer)(value) && (value as readonly unknown[]).length <= 16;
const numberOrNull = (value: unknown): boolean => value === null || number(value);
const bytesByLink = recordOf(integer);
const cost = fields({ rounds: integer, bytes: bytesByLink });
const cutFields = { value: text, tensor: text, shape };
const cutOptions = { oneHot: integer, rows: integer, least: number, functions: list(word), range: pairOf(number) };
const sharedValue = fields({
  value: text,
  tensor: text,
  shape,
  width: integer,
  scale: integer,
  range: pairOf(number),
});
const axis: ValueCheck = (value) => integer(value) && (value as number) >= 0 && (value as number) < 16;
/** What the reader makes of the opened numbers; it changes none of them. */
const wholeType = oneOf("bool", "i32", "i64", "int8", "int16", "uint8", "uint16", "uint32", "uint64");
const revealFields = { value: text, tensor: text, to: text, shape };
const guard = fields({ value: text }, { headroom: number, elements: integer, layers: list(text) });
const integers = list(fields({ tensor: text, sha256: digest }));

/** What a program for a part of the window says; all but the first say it within `decode`. */
const hashes = { programHash: text, artefactsHash: text };
const chunk = {
  ...hashes,
  cuts: list(fields(cutFields, { ...cutOptions, axis })),
  reveals: list(fields(revealFields, { axis, type: wholeType })),
};
const chunkOptions = {
  guard,
  places: integer,
  kept: list(fields({ name: text, shape, width: integer })),
  predicted: fields({ offline: cost, online: cost }),
};
const clear = fields({ places: text, kept: list(fields({ past: text, present: text }, { shape })) });

const isManifest = fields(
  {
    name: text,
    setting: text,
    security: text,
    ...hashes,
    weights: list(fields({ name: text, label: text }, { why: text, shape, sha256: digest })),
    constants: list(fields({ name: text, sha256: digest }, { shape })),
    inputs: list(fields({ name: text, label: text }, { shape, type: word, gaps: oneOf(true) })),
    cuts: list(fields(cutFields, { ...cutOptions, axis })),
    tails: list(fields({ value: text, from: text, output: text })),
    clientOutputs: list(text),
    reveals: list(fields(revealFields, { axis, type: wholeType })),
  },
  {
    schema: oneOf(1),
    compiler: word,
    truncation: oneOf("fast", "exact"),
    numerics: text,
    chosenFor: fields({
      link: fields({ mbitPerSecond: number, roundTripMs: number }, { name: text }),
      objective: word,
    }),
    caveats: list(text),
    roles: fields({}, { client: text, server: text, dealer: text, helper: text }),
    inexact: list(fields({ operator: text, count: integer, at: list(text) })),
    integers,
    serverCuts: list(fields(cutFields, cutOptions)),
    // No bound is null.
    errors: list(fields({ tensor: text, declared: numberOrNull, largest: numberOrNull }, { published: oneOf(true) })),
    decisions: list(
      fields(
        {
          value: text,
          operator: text,
          at: text,
          distance: numberOrNull,
          outputs: list(fields({ tensor: text, differs: numberOrNull })),
        },
        { published: oneOf(true) },
      ),
    ),
    sharedInputs: list(sharedValue),
    sharedOutputs: list(sharedValue),
    guard,
    rings: list(fields({ width: integer, values: integer })),
    calibration: fields(
      {},
      {
        source: text,
        samples: integer,
        weights: text,
        margin: number,
        ranges: text,
        published: fields({
          integers: integer,
          bits: integer,
          bounds: list(fields({ value: text, bound: text, exponent: integer })),
        }),
        wrap: fields({ runs: integer }, { probability: number, at: text }),
      },
    ),
    predicted: fields({ setup: cost, offline: cost, online: cost }),
    clear,
    decode: fields(chunk, { ...chunkOptions, clear, windows: list(fields(chunk, chunkOptions)) }),
  },
);

/** Undefined where the bytes are not those of a manifest: exactly its fields, in the text that the compiler writes. */
export function parseManifest(bytes: Uint8Array): ParsedManifest | undefined {
  try {
    const value = parseCanonicalJson(bytes);
    return isManifest(value) ? (value as ParsedManifest) : undefined;
  } catch {
    return undefined;
  }
}
