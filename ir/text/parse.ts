import type { IToken } from "chevrotain";
import { type Diagnostic, DiagnosticError, fail } from "../diagnostic.ts";
import type { Label } from "../label.ts";
import {
  type Attr,
  type Attrs,
  type Module,
  type Op,
  type PositionRows,
  type Stage,
  stages,
  type Value,
  type ValueId,
} from "../module.ts";
import { type Element, fx, type Interval, type PlainElement, type Sharing, type TensorType } from "../type.ts";
import {
  type AttrSyntax,
  type ModuleSyntax,
  type OpSyntax,
  type ParamSyntax,
  parser,
  type TypeSyntax,
  type ValueSyntax,
} from "./grammar.ts";
import { lexer } from "./tokens.ts";

export interface ParseOptions {
  /** File name in diagnostics. */
  readonly file?: string;
  /** Maximum length of the text, in characters. */
  readonly limit?: number;
}

/** Weights are not in the text: a module with a hundred thousand ops is smaller. */
const defaultLimit = 32 * 2 ** 20;

/** More lexer errors than this say nothing new. */
const maxReported = 10;

interface ParseContext {
  readonly refuse: (code: string, token: IToken, message: string) => never;
}

const numberWords: Readonly<Record<string, number>> = { inf: Infinity, "-inf": -Infinity, nan: Number.NaN };

/** Reads the text form of a module; ir/verify.ts checks types and order. Throws MRL0201 to MRL0208. */
export function parse(text: string, { file = "module.mir", limit = defaultLimit }: ParseOptions = {}): Module {
  if (text.length > limit) {
    fail({
      code: "MRL0201",
      message: `expected a text of at most ${limit} characters, found ${text.length}`,
      at: file,
    });
  }
  const location = (line: number | undefined, column: number | undefined): string =>
    `${file}:${Number.isNaN(line ?? Number.NaN) ? "end" : `${line}:${column}`}`;
  const odd = /[^\n\r\t\x20-\x7e]/.exec(text);
  if (odd) {
    const line = text.slice(0, odd.index).split("\n");
    const code = odd[0].charCodeAt(0).toString(16).padStart(4, "0");
    const at = location(line.length, line.at(-1)!.length + 1);
    fail({ code: "MRL0202", message: `expected printable ASCII, found U+${code}; a string writes it \\u${code}`, at });
  }
  const { tokens, errors } = lexer.tokenize(text);
  if (errors.length > 0) {
    throw new DiagnosticError(
      errors.slice(0, maxReported).map(
        (error): Diagnostic => ({
          code: "MRL0202",
          message: `expected a token, found ${JSON.stringify(text.slice(error.offset, error.offset + error.length))}`,
          at: location(error.line, error.column),
        }),
      ),
    );
  }
  parser.input = tokens;
  const syntax = parser.module();
  const broken = parser.errors[0];
  if (broken) {
    fail({ code: "MRL0203", message: broken.message, at: location(broken.token.startLine, broken.token.startColumn) });
  }
  return readModule(syntax, {
    refuse: (code, token, message) => fail({ code, message, at: location(token.startLine, token.startColumn) }),
  });
}

function readModule(syntax: ModuleSyntax, reader: ParseContext): Module {
  const values = new Map<ValueId, Value>();
  const define = (value: ValueSyntax): ValueId => {
    const id = idOf(value.name, reader);
    if (values.has(id)) reader.refuse("MRL0204", value.name, `expected one definition of %${id}, found another`);
    const range = value.range && readRange(value.range, reader);
    values.set(id, { type: readType(value.type, reader), ...(range && { range }) });
    return id;
  };
  const inputs = syntax.inputs.map(define);
  const params = syntax.params.map((param) => [define(param), stringOf(param.weight, reader)] as const);
  const steps = syntax.steps.map((ops) => ({ ops: ops.map((op) => readOp(op, define(op), reader)) }));
  const positionRows = readPositionRows(syntax.params, reader);
  return {
    name: nameOf(syntax.name, reader),
    stage: stageOf(syntax.stage, reader),
    inputs,
    params: Object.fromEntries(params),
    ...(positionRows && { positionRows }),
    steps,
    outputs: syntax.outputs.flat().map((token) => idOf(token, reader)),
    values: Object.fromEntries(values),
  };
}

/** All params of one weight take rows along the same axis. */
function readPositionRows(params: readonly ParamSyntax[], reader: ParseContext): Module["positionRows"] {
  const positionRows = new Map<string, PositionRows>();
  for (const { weight, position } of params) {
    if (!position) continue;
    if (position.word.image !== "position")
      reader.refuse("MRL0205", position.word, `expected position, found ${position.word.image}`);
    const { axis, rows, ...others } = readAttrs(position.attrs, reader);
    if (typeof axis !== "number" || typeof rows !== "number" || Object.keys(others).length > 0) {
      return reader.refuse(
        "MRL0205",
        position.word,
        "expected position { axis = number, rows = number }, found other attributes",
      );
    }
    positionRows.set(stringOf(weight, reader), { axis, rows });
  }
  const partly = params.find(({ weight, position }) => !position && positionRows.has(stringOf(weight, reader)));
  if (partly)
    reader.refuse(
      "MRL0205",
      partly.weight,
      "expected position { … } as on another param of the same weight, found none",
    );
  return positionRows.size > 0 ? Object.fromEntries(positionRows) : undefined;
}

function readOp(op: OpSyntax, result: ValueId, reader: ParseContext): Op {
  return {
    name: op.op.image,
    operands: op.operands.map((token) => idOf(token, reader)),
    result,
    attrs: readAttrs(op.attrs, reader),
    origin: op.origin ? stringOf(op.origin, reader) : "",
    ...(op.protocol && { protocol: op.protocol.image }),
    ...(op.tuning.length > 0 && { tuning: readAttrs(op.tuning, reader) }),
  };
}

function readAttrs(attrs: readonly AttrSyntax[], reader: ParseContext): Attrs {
  const found = new Map<string, Attr>();
  for (const { name, value } of attrs) {
    if (found.has(name.image)) reader.refuse("MRL0207", name, `expected attribute ${name.image} once, found it again`);
    found.set(name.image, "items" in value ? readList(value.items, reader) : readScalar(value, reader));
  }
  return Object.fromEntries(found);
}

function readList(items: readonly IToken[], reader: ParseContext): Attr {
  const list = items.map((item) => ({ item, value: readScalar(item, reader) }));
  const kind = typeof list[0]?.value;
  const odd = list.find(({ value }) => typeof value !== kind || typeof value === "boolean");
  if (odd) reader.refuse("MRL0205", odd.item, `expected a list of numbers or of strings, found ${odd.item.image}`);
  return list.map(({ value }) => value) as readonly number[] | readonly string[];
}

function readScalar(token: IToken, reader: ParseContext): number | boolean | string {
  if (token.image === "true" || token.image === "false") return token.image === "true";
  return token.image.startsWith('"') ? stringOf(token, reader) : numberOf(token);
}

const numberOf = (token: IToken): number => numberWords[token.image] ?? Number(token.image);

function dimensionOf(token: IToken, reader: ParseContext): number {
  const size = Number(token.image);
  if (Number.isSafeInteger(size) && size >= 0) return size + 0;
  return reader.refuse("MRL0205", token, `expected a size (an integer of at least 0), found ${token.image}`);
}

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

function stringOf(token: IToken, reader: ParseContext): string {
  try {
    const text = JSON.parse(token.image) as string;
    // Half of a pair is no character: encoders replace it, so two different strings would become one.
    if (isWellFormed(text)) return text;
  } catch {
    // Refused below.
  }
  return reader.refuse("MRL0205", token, `expected a string as in JSON, found ${token.image}`);
}

/** `__proto__` would set the prototype of the record of values instead of a key. */
function idOf(token: IToken, reader: ParseContext): ValueId {
  const id = token.image.slice(1);
  return id === "__proto__" ? reader.refuse("MRL0206", token, "expected another name, found __proto__") : id;
}

const nameOf = (token: IToken, reader: ParseContext): string =>
  token.image.startsWith('"') ? stringOf(token, reader) : token.image;

function stageOf(token: IToken, reader: ParseContext): Stage {
  const stage = stages.find((known) => known === token.image);
  return stage ?? reader.refuse("MRL0208", token, `expected a stage (${stages.join(", ")}), found ${token.image}`);
}

function readRange([lo, hi]: readonly IToken[], reader: ParseContext): Interval {
  const range = { lo: numberOf(lo!), hi: numberOf(hi!) };
  if (range.lo <= range.hi) return range;
  return reader.refuse("MRL0205", lo!, `expected bounds in order, found [${lo!.image}, ${hi!.image}]`);
}

function readElement(token: IToken): Element {
  const fixed = /^fx(\d+)\.(-?\d+)$/.exec(token.image);
  return fixed ? fx(Number(fixed[1]), Number(fixed[2])) : { kind: token.image as PlainElement["kind"] };
}

function readType({ label, sharing, element, shape }: TypeSyntax, reader: ParseContext): TensorType {
  return {
    label: label.image as Label,
    element: readElement(element),
    shape: shape.map((size) => dimensionOf(size, reader)),
    ...(sharing && { sharing: sharing.image as Sharing }),
  };
}
