import type { Role } from "./finding.ts";
import { type ParsedBody, readBody, readMember } from "./read-body.ts";
import {
  checkCharacters,
  createTokenReader,
  isValueName,
  type Literal,
  ParseFault,
  readLiteral,
  readRecord,
  type TokenReader,
  type TokenRules,
  tokenize,
} from "./token-reader.ts";

/** Shape, ring width in bits, fractional bits and bounds of a value. */
export interface ParsedShareType {
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  readonly lo: number;
  readonly hi: number;
}

export interface ParsedWeight {
  readonly form: string;
  /** `<tensor of the model>@<scale>` */
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  /** Axis along which the body takes only the rows of the query's positions. */
  readonly rowAxis?: number;
}

/** An input of the client's, `of` the server, or `shared`: each of the two holds a residue. */
export interface ParsedInput extends ParsedShareType {
  readonly of?: string;
}

/** A masked value that a query leaves for later ones; `past`: rows of earlier queries that the body can read. */
export interface ParsedCacheEntry extends ParsedShareType {
  readonly past: number;
}

export interface ParsedSpec {
  /** Names of types. */
  readonly operands: readonly string[];
  readonly result: string;
  readonly attrs: Readonly<Record<string, Literal>>;
}

/** The contents of a program text. Equivalent texts give equal data, except for role and lines. */
export interface ParsedProgramText extends ParsedBody {
  readonly role: Role;
  /** The text of each comment, in order. */
  readonly comments: readonly string[];
  readonly types: ReadonlyMap<string, ParsedShareType>;
  readonly specs: ReadonlyMap<string, ParsedSpec>;
  readonly inputs: ReadonlyMap<string, ParsedInput>;
  readonly weights: ReadonlyMap<string, ParsedWeight>;
  readonly outputs: ReadonlyMap<string, ParsedShareType & { readonly to: string }>;
  readonly cached: ReadonlyMap<string, ParsedCacheEntry>;
  readonly name: string;
  readonly hash: string;
  readonly setting: string;
}

const programTokens: TokenRules = {
  // A comment is `// ` to the end of its line: no block comment, no directive for a tool.
  skip: /(?:[ \n]|\/\/ [^\n]*)+/y,
  kinds: [
    ["name", /[A-Za-z_$][A-Za-z0-9_$]*/y],
    ["number", /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?(?![\w$.])/y],
    ["string", /"(?:[^"\\\n]|\\.)*"/y],
    ["mark", /[{}[\]()<>,;:=.*-]/y],
  ],
};

/**
 * Parses program.ts or program.js: tables of plain data, then one generator whose statements are calls of the runtime,
 * and nothing else. @throws ParseFault at the first word that marillc would not have written there.
 */
export function parseProgram(text: string, language: "ts" | "js"): ParsedProgramText {
  const role = /^\/\/ (client|server|dealer) program of /.exec(text)?.[1] as Role | undefined;
  if (role === undefined) throw new ParseFault("expected `// client program of …` (or server, or dealer)", 1);
  // The header abbreviates the hash with the only character beyond ASCII.
  checkCharacters(text.replace(/^[^\n]*/, (line) => line.replace("…; do not edit.", "")));
  const reader = createTokenReader(tokenize(text, programTokens));
  const typed = (words: string): void => {
    if (language === "ts") reader.expectOnLine(words);
  };
  const table = <T>(name: string, type: string, item: () => T): ReadonlyMap<string, T> => {
    reader.expect(`const ${name} =`);
    const entries = readRecord(reader, (key) => {
      if (!isValueName(key)) reader.fail(`the name of a value instead of ${JSON.stringify(key)} before it`);
      return item();
    });
    typed(type);
    reader.expect(";");
    return entries;
  };
  const imported = language === "ts" ? readImport(reader) : undefined;
  const fields = ["shape", "width", "scale", "lo", "hi"];
  const fixed = (): ParsedShareType => readFields(reader, fields) as unknown as ParsedShareType;
  const types = table("types", "satisfies Record < string , Fixed >", fixed);
  const specs = table("specs", "satisfies Record < string , Spec >", () => readSpec(reader));
  const inputDecl = (): ParsedInput => readFields(reader, fields, ["of"]) as unknown as ParsedInput;
  const inputs = imported?.inputs
    ? table("inputTypes", "as const satisfies Record < string , InputDecl >", inputDecl)
    : table("inputTypes", "satisfies Record < string , Fixed >", inputDecl);
  if (imported && imported.inputs !== [...inputs.values()].some(({ of }) => of !== undefined))
    reader.fail("inputs of the server exactly where InputDecl is imported");
  const weights = table(
    "weightTypes",
    "as const satisfies Record < string , WeightDecl >",
    () => readFields(reader, ["form", "tensor", "shape", "width", "scale"], ["rowAxis"]) as unknown as ParsedWeight,
  );
  const outputs = table(
    "outputTypes",
    "as const satisfies Record < string , OutputDecl >",
    () => readFields(reader, [...fields, "to"]) as unknown as ParsedShareType & { readonly to: string },
  );
  const keeps = reader.sees("const");
  if (imported && keeps !== imported.cache) reader.fail("cachedTypes exactly where CachedDecl is imported");
  const cacheText = (): ParsedCacheEntry => readFields(reader, [...fields, "past"]) as unknown as ParsedCacheEntry;
  const cached = keeps
    ? table("cachedTypes", "as const satisfies Record < string , CachedDecl >", cacheText)
    : new Map<string, ParsedCacheEntry>();
  reader.expect("export const program");
  const more = keeps ? " , keyof typeof cachedTypes" : "";
  typed(`: Program < keyof typeof inputTypes , keyof typeof weightTypes${more} >`);
  reader.expect("= {");
  const fact = (name: string): string => {
    reader.expect(`${name} :`);
    const value = reader.string();
    reader.expect(",");
    return value;
  };
  const facts = { name: fact("name"), hash: fact("hash"), setting: fact("setting") };
  reader.expect("inputs : inputTypes , outputs : outputTypes , weights : weightTypes ,");
  if (keeps) reader.expect("cached : cachedTypes ,");
  const body = readBody(reader);
  reader.expect(", } ;");
  reader.take("end", "the end");
  const comments = commentsOf(text);
  return { role, comments, types, specs, inputs, weights, outputs, cached, ...facts, ...body };
}

/** Comments begin at `// ` outside of strings. */
const commentsOf = (text: string): readonly string[] =>
  text.split("\n").flatMap((line) => /^(?:"(?:[^"\\]|\\.)*"|[^"/])*\/\/ (.*)$/.exec(line)?.[1] ?? []);

/** Reads the import of types, from the runtime alone: whether it imports CachedDecl, and InputDecl. */
function readImport(reader: TokenReader): { readonly cache: boolean; readonly inputs: boolean } {
  reader.expect("import type {");
  const cache = reader.accepts("CachedDecl");
  if (cache) reader.expect(",");
  reader.expect("Fixed ,");
  const inputs = reader.accepts("InputDecl");
  if (inputs) reader.expect(",");
  reader.expect("OutputDecl , Program , Spec , WeightDecl } from");
  if (reader.string() !== "marillc/runtime") reader.fail('an import of types from "marillc/runtime" and no other');
  reader.expect(";");
  return { cache, inputs };
}

const kindOfField: Readonly<Record<string, (value: Literal) => boolean>> = {
  shape: (value) => Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0),
  width: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 64,
  scale: Number.isInteger,
  lo: (value) => typeof value === "number",
  hi: (value) => typeof value === "number",
  form: (value) => typeof value === "string",
  past: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  rowAxis: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  tensor: (value) => typeof value === "string",
  to: (value) => typeof value === "string",
  of: (value) => value === "server" || value === "shared",
};

/** Reads a record of exactly these fields, and some of the optional ones. */
function readFields(
  reader: TokenReader,
  fields: readonly string[],
  optional: readonly string[] = [],
): Readonly<Record<string, Literal>> {
  const found = readRecord(reader, (key) => {
    if (!fields.includes(key) && !optional.includes(key)) reader.fail(`one of ${fields.join(", ")} as a key`);
    const value = readLiteral(reader);
    if (!kindOfField[key]!(value)) reader.fail(`another value of ${key} before it`);
    return value;
  });
  if (!fields.every((field) => found.has(field))) reader.fail(`all of ${fields.join(", ")} before it`);
  return Object.fromEntries(found);
}

function readSpec(reader: TokenReader): ParsedSpec {
  reader.expect("{ operands : [");
  const operands = reader.list("]", () => readMember(reader, "types"));
  reader.expect(", result :");
  const result = readMember(reader, "types");
  reader.expect(", attrs :");
  const attrs = Object.fromEntries(readRecord(reader, () => readLiteral(reader)));
  reader.accepts(",");
  reader.expect("}");
  return { operands, result, attrs };
}
