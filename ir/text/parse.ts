import type { IToken } from "chevrotain";
import { type Diagnostic, DiagnosticError, fail } from "../diagnostic.ts";
import type { Label } from "../label.ts";
import {
  type Attr,
  type Attrs,
  type Module,
  type Op,
  type Placed,
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
  /** Name that diagnostics give the text. */
  readonly file?: string;
  /** Longest text that is read, in characters. */
  readonly limit?: number;
}

/** Weights are not in the text: a module with a hundred thousand ops is smaller. */
const defaultLimit = 32 * 2 ** 20;

/** Diagnostics of a broken text beyond these say nothing new. */
const mostReported = 10;

interface Reader {
  readonly refuse: (code: string, token: IToken, message: string) => never;
}

const words: Readonly<Record<string, number>> = { inf: Infinity, "-inf": -Infinity, nan: Number.NaN };

/** Reads the text form of a module; what it says about types and order is for ir/verify.ts to judge. */
export function parse(text: string, { file = "module.mir", limit = defaultLimit }: ParseOptions = {}): Module {
  if (text.length > limit) {
    fail({
      code: "MRL0201",
      message: `expected a text of at most ${limit} characters, found ${text.length}`,
      at: file,
    });
  }
  const place = (line: number | undefined, column: number | undefined): string =>
    `${file}:${Number.isNaN(line ?? Number.NaN) ? "end" : `${line}:${column}`}`;
  const { tokens, errors } = lexer.tokenize(text);
  if (errors.length > 0) {
    throw new DiagnosticError(
      errors.slice(0, mostReported).map(
        (error): Diagnostic => ({
          code: "MRL0202",
          message: `expected a token, found ${JSON.stringify(text.slice(error.offset, error.offset + error.length))}`,
          at: place(error.line, error.column),
        }),
      ),
    );
  }
  parser.input = tokens;
  const syntax = parser.module();
  const broken = parser.errors[0];
  if (broken) {
    fail({ code: "MRL0203", message: broken.message, at: place(broken.token.startLine, broken.token.startColumn) });
  }
  return readModule(syntax, {
    refuse: (code, token, message) => fail({ code, message, at: place(token.startLine, token.startColumn) }),
  });
}

function readModule(syntax: ModuleSyntax, reader: Reader): Module {
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
  const placed = readPlaced(syntax.params, reader);
  return {
    name: nameOf(syntax.name, reader),
    stage: stageOf(syntax.stage, reader),
    inputs,
    params: Object.fromEntries(params),
    ...(placed && { placed }),
    steps,
    outputs: syntax.outputs.flat().map((token) => idOf(token, reader)),
    values: Object.fromEntries(values),
  };
}

/** All params of one weight take the same row of it. */
function readPlaced(params: readonly ParamSyntax[], reader: Reader): Module["placed"] {
  const placed = new Map<string, Placed>();
  for (const { weight, place } of params) {
    if (!place) continue;
    if (place.word.image !== "place") reader.refuse("MRL0205", place.word, `expected place, found ${place.word.image}`);
    const { axis, rows, ...others } = readAttrs(place.attrs, reader);
    if (typeof axis !== "number" || typeof rows !== "number" || Object.keys(others).length > 0) {
      return reader.refuse("MRL0205", place.word, "expected a place of an axis and rows, both numbers");
    }
    placed.set(stringOf(weight, reader), { axis, rows });
  }
  const partly = params.find(({ weight, place }) => !place && placed.has(stringOf(weight, reader)));
  if (partly) reader.refuse("MRL0205", partly.weight, "expected a place, as another param of the same weight has");
  return placed.size > 0 ? Object.fromEntries(placed) : undefined;
}

function readOp(op: OpSyntax, result: ValueId, reader: Reader): Op {
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

function readAttrs(attrs: readonly AttrSyntax[], reader: Reader): Attrs {
  const found = new Map<string, Attr>();
  for (const { name, value } of attrs) {
    if (found.has(name.image)) reader.refuse("MRL0207", name, `expected attribute ${name.image} once, found it again`);
    found.set(name.image, "items" in value ? readList(value.items, reader) : readScalar(value, reader));
  }
  return Object.fromEntries(found);
}

function readList(items: readonly IToken[], reader: Reader): Attr {
  const list = items.map((item) => ({ item, value: readScalar(item, reader) }));
  const kind = typeof list[0]?.value;
  const odd = list.find(({ value }) => typeof value !== kind || typeof value === "boolean");
  if (odd) reader.refuse("MRL0205", odd.item, `expected a list of numbers or of strings, found ${odd.item.image}`);
  return list.map(({ value }) => value) as readonly number[] | readonly string[];
}

function readScalar(token: IToken, reader: Reader): number | boolean | string {
  if (token.image === "true" || token.image === "false") return token.image === "true";
  return token.image.startsWith('"') ? stringOf(token, reader) : numberOf(token);
}

const numberOf = (token: IToken): number => words[token.image] ?? Number(token.image);

function extentOf(token: IToken, reader: Reader): number {
  const extent = Number(token.image);
  if (Number.isSafeInteger(extent) && extent >= 0) return extent + 0;
  return reader.refuse("MRL0205", token, `expected an extent (a whole number), found ${token.image}`);
}

function stringOf(token: IToken, reader: Reader): string {
  try {
    return JSON.parse(token.image) as string;
  } catch {
    return reader.refuse("MRL0205", token, `expected a string as in JSON, found ${token.image}`);
  }
}

/** `__proto__` would change the record that holds the values instead of entering it. */
function idOf(token: IToken, reader: Reader): ValueId {
  const id = token.image.slice(1);
  return id === "__proto__" ? reader.refuse("MRL0206", token, "expected another name, found __proto__") : id;
}

const nameOf = (token: IToken, reader: Reader): string =>
  token.image.startsWith('"') ? stringOf(token, reader) : token.image;

function stageOf(token: IToken, reader: Reader): Stage {
  const stage = stages.find((known) => known === token.image);
  return stage ?? reader.refuse("MRL0208", token, `expected a stage (${stages.join(", ")}), found ${token.image}`);
}

function readRange([lo, hi]: readonly IToken[], reader: Reader): Interval {
  const range = { lo: numberOf(lo!), hi: numberOf(hi!) };
  if (range.lo <= range.hi) return range;
  return reader.refuse("MRL0205", lo!, `expected bounds in order, found [${lo!.image}, ${hi!.image}]`);
}

function readElement(token: IToken): Element {
  const fixed = /^fx(\d+)\.(-?\d+)$/.exec(token.image);
  return fixed ? fx(Number(fixed[1]), Number(fixed[2])) : { kind: token.image as PlainElement["kind"] };
}

function readType({ label, sharing, element, shape }: TypeSyntax, reader: Reader): TensorType {
  return {
    label: label.image as Label,
    element: readElement(element),
    shape: shape.map((extent) => extentOf(extent, reader)),
    ...(sharing && { sharing: sharing.image as Sharing }),
  };
}
