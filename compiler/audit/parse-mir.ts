import { attributeProblems } from "./attributes.ts";
import {
  checkCharacters,
  createTokenReader,
  type Literal,
  readLiteral,
  type TokenReader,
  type TokenRules,
  tokenize,
} from "./token-reader.ts";

/** The type of a value in program.mir. */
export interface ParsedType {
  readonly label: string;
  /** `additive` or `wire`; empty for a value that is not shared. */
  readonly sharing: string;
  /** `f32`, `i64`, `bool` or `fx<width>.<scale>`. */
  readonly element: string;
  readonly shape: readonly number[];
  readonly range?: readonly [lo: number, hi: number];
}

export interface ParsedOp {
  readonly result: string;
  readonly operator: string;
  readonly operands: readonly string[];
  /** Of the operator, and of its protocol. */
  readonly attrs: Readonly<Record<string, Literal>>;
  readonly protocol?: string;
  readonly type: ParsedType;
  /** The node of the model that it computes, for readers. */
  readonly origin: string;
}

/** A parameter that is a part of its weight: the rows of the query's positions, out of `rows` in all. */
export interface RowSlice {
  readonly axis: number;
  readonly rows: number;
}

/** The module that the dealer executes and the programs were generated from. */
export interface ParsedModule {
  readonly name: string;
  readonly inputs: ReadonlyMap<string, ParsedType>;
  readonly params: ReadonlyMap<
    string,
    { readonly type: ParsedType; readonly tensor: string; readonly placed?: RowSlice }
  >;
  /** Ops of one step run in lock step. */
  readonly steps: readonly (readonly ParsedOp[])[];
  readonly outputs: readonly string[];
}

const mirTokens: TokenRules = {
  // No comments: the compiler writes none, and nobody reads them. Spacing has one form too, so that it carries nothing.
  skip: / |\n(?: {2}){0,3}/y,
  kinds: [
    ["name", /%[A-Za-z_][A-Za-z0-9_.]*|[A-Za-z_][A-Za-z0-9_.-]*/y],
    ["number", /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?/y],
    ["string", /"(?:[^"\\\n\r]|\\.)*"/y],
    ["mark", /[{}[\]:,=-]/y],
  ],
};

/** @throws ParseFault where the text is not a scheduled module. */
export function parseMir(text: string): ParsedModule {
  checkCharacters(text);
  const reader = createTokenReader(tokenize(text, mirTokens));
  reader.expect("module");
  const name = reader.kind() === "string" ? reader.string() : reader.take("name", "a name");
  reader.expect("stage schedule {");
  const inputs = new Map<string, ParsedType>();
  const params = new Map<string, { readonly type: ParsedType; readonly tensor: string; readonly placed?: RowSlice }>();
  const steps: (readonly ParsedOp[])[] = [];
  const outputs: string[] = [];
  while (!reader.accepts("}")) {
    if (reader.accepts("input")) setOnce(reader, inputs, ...readTypedValue(reader));
    else if (reader.accepts("output")) outputs.push(readValue(reader));
    else if (reader.accepts("param")) {
      const [id, type] = readTypedValue(reader);
      reader.expect("=");
      const tensor = reader.string();
      setOnce(reader, params, id, { type, tensor, ...(reader.accepts("at") && { placed: readRowSlice(reader) }) });
    } else if (reader.accepts("step")) {
      const ops: ParsedOp[] = [];
      reader.expect("{");
      while (!reader.accepts("}")) ops.push(readOp(reader));
      steps.push(ops);
    } else steps.push([readOp(reader)]);
  }
  const used = new Set(steps.flat().flatMap(({ operands }) => operands));
  const unused = [...params.keys()].find((id) => !used.has(id));
  if (unused !== undefined) reader.fail(`an operator that takes %${unused}`);
  reader.take("end", "the end");
  return { name, inputs, params, steps, outputs };
}

function setOnce<T>(reader: TokenReader, entries: Map<string, T>, name: string, value: T): void {
  if (entries.has(name)) reader.fail(`${name} once before it`);
  entries.set(name, value);
}

function readRowSlice(reader: TokenReader): RowSlice {
  reader.expect("position");
  const { axis, rows } = readAttrs(reader);
  return typeof axis === "number" && typeof rows === "number"
    ? { axis, rows }
    : reader.fail("numbers axis and rows before it");
}

function readValue(reader: TokenReader): string {
  const name = reader.take("name", "a value");
  return name.startsWith("%") ? name.slice(1) : reader.fail("a value before it");
}

function readTypedValue(reader: TokenReader): [string, ParsedType] {
  const id = readValue(reader);
  reader.expect(":");
  return [id, readType(reader)];
}

function readType(reader: TokenReader): ParsedType {
  const label = reader.take("name", "a label");
  const word = reader.take("name", "an element");
  const isSharing = word === "additive" || word === "masked";
  const element = isSharing ? reader.take("name", "an element") : word;
  reader.expect("[");
  const shape = reader.list("]", () => reader.number());
  const type = { label, sharing: isSharing ? word : "", element, shape };
  if (!reader.accepts("in")) {
    if (label === "shared" && element.startsWith("fx")) reader.fail("bounds of a shared value");
    return type;
  }
  reader.expect("[");
  const [lo, hi] = reader.list("]", () => readNumber(reader)) as [number, number];
  return { ...type, range: [lo, hi] };
}

const wordNumbers: Readonly<Record<string, number>> = { inf: Infinity, nan: Number.NaN };

function readNumber(reader: TokenReader): number {
  const negative = reader.accepts("-");
  const word = Object.keys(wordNumbers).find((each) => reader.accepts(each));
  return (negative ? -1 : 1) * (word === undefined ? reader.number() : wordNumbers[word]!);
}

function readOp(reader: TokenReader): ParsedOp {
  const result = readValue(reader);
  reader.expect("=");
  const operator = reader.take("name", "an operator");
  const operands: string[] = [];
  while (!reader.sees("{") && !reader.sees(":")) {
    operands.push(readValue(reader));
    if (!reader.accepts(",")) break;
  }
  const attrs = readAttrs(reader);
  reader.expect(":");
  const type = readType(reader);
  const protocol = reader.accepts("via") ? reader.take("name", "a protocol") : undefined;
  const tuning = readAttrs(reader);
  const origin = reader.accepts("at") ? reader.string() : "";
  const all = { ...attrs, ...tuning };
  for (const problem of attributeProblems(operator, all)) reader.fail(`${problem}, before it`);
  return {
    result,
    operator,
    origin,
    operands,
    attrs: all,
    type,
    ...(protocol !== undefined && { protocol }),
  };
}

function readAttrs(reader: TokenReader): Readonly<Record<string, Literal>> {
  if (!reader.accepts("{")) return {};
  const entries = new Map<string, Literal>();
  reader.list("}", () => {
    const name = reader.take("name", "an attribute");
    reader.expect("=");
    const word = reader.sees("inf") || reader.sees("nan") || reader.sees("-");
    setOnce(reader, entries, name, word ? readNumber(reader) : readLiteral(reader));
  });
  return Object.fromEntries(entries);
}
