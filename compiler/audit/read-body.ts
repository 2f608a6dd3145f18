import { isValueName, ParseFault, readKey, type TokenReader } from "./token-reader.ts";

export interface ParsedArgument {
  /** `cached`: a masked value that earlier queries opened. */
  readonly kind: "value" | "input" | "weight" | "cached";
  readonly name: string;
}

export interface ParsedCall {
  readonly kind: "protocol" | "local";
  readonly callee: string;
  /** Label of its randomness; protocols only. */
  readonly label?: string;
  /** Name of the spec, and of the variable of the result, if any. */
  readonly result: string;
  readonly args: readonly ParsedArgument[];
  /** Calls of one `parallel(…)` share a number; absent: a statement of its own. */
  readonly group?: number;
}

export interface ParsedBody {
  /** Protocols of the runtime, in the order of their declaration. */
  readonly protocols: readonly string[];
  readonly calls: readonly ParsedCall[];
  /** Output → variable. */
  readonly returns: ReadonlyMap<string, string>;
  /** Line of each call, by result. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Names that the text may use, so no value may have them. */
const runtimeNames = [
  "protocols",
  "local",
  "parallel",
  "party",
  "inputs",
  "_inputs",
  "weights",
  "cached",
  "types",
  "specs",
];
const tableNames = ["inputTypes", "weightTypes", "outputTypes", "cachedTypes", "program"];
/** Words of JavaScript and TypeScript: as names of variables they change what a statement is. */
const languageWords =
  "abstract any arguments as async await boolean break case catch class const constructor continue debugger declare default delete do else enum eval export extends false finally for from function get globalThis if implements import in Infinity infer instanceof interface is keyof let module namespace NaN never new null number object of package private protected public readonly return satisfies set static string super switch symbol this throw true try type typeof undefined unknown var void while with yield __proto__";
const reservedNames: ReadonlySet<string> = new Set([...runtimeNames, ...tableNames, ...languageWords.split(" ")]);

/** Parses the generator: calls of protocols and of local operators, alone or in lock step, and one return of outputs. */
export function readBody(reader: TokenReader): ParsedBody {
  const scope = createBodyScope(reader, readParameters(reader));
  reader.expect("{");
  readProtocolList(reader, scope);
  for (;;) {
    const line = reader.line();
    if (reader.accepts("return")) break;
    if (!reader.accepts("const")) readStatement(reader, scope, line, "");
    else {
      const bound = reader.accepts("[") ? readPattern(reader) : reader.take("name", "a name");
      reader.expect("=");
      readStatement(reader, scope, line, bound);
    }
  }
  const returns = readReturns(reader, scope);
  reader.expect("; }");
  return { protocols: scope.protocols(), calls: scope.calls(), returns, lines: scope.lines };
}

/** The names that a body has declared, and its calls so far. */
interface BodyScope {
  readonly hasParameter: (name: string) => boolean;
  /** Refuses a parameter that the body does not have. */
  readonly requireParameter: (name: string) => void;
  readonly hasProtocol: (name: string) => boolean;
  readonly addProtocol: (name: string) => void;
  readonly protocols: () => readonly string[];
  readonly hasValue: (name: string) => boolean;
  /** Adds a call in this line; `bound` is the variable of its result, or "". */
  readonly addCall: (call: ParsedCall, line: number, bound: string) => void;
  readonly calls: () => readonly ParsedCall[];
  readonly lines: ReadonlyMap<string, number>;
}

function createBodyScope(reader: TokenReader, parameters: ReadonlySet<string>): BodyScope {
  const protocols = new Set<string>();
  const values = new Set<string>();
  const calls: ParsedCall[] = [];
  const lines = new Map<string, number>();
  const isReserved = (name: string): boolean => reservedNames.has(name) || protocols.has(name);
  const declare = (name: string, line: number): void => {
    if (isReserved(name) || values.has(name))
      throw new ParseFault(`${name} is a word of the language, or already the name of something else`, line);
    values.add(name);
  };
  return {
    lines,
    hasParameter: (name) => parameters.has(name),
    requireParameter: (name) => {
      if (!parameters.has(name)) reader.fail(`${name} among the parameters`);
    },
    hasProtocol: (name) => protocols.has(name),
    addProtocol: (name) => {
      if (isReserved(name)) reader.fail(`${name} once, and as a protocol`);
      protocols.add(name);
    },
    protocols: () => [...protocols],
    hasValue: (name) => values.has(name),
    addCall: (call, line, bound) => {
      if (bound !== "" && bound !== call.result) throw new ParseFault(`${bound} is not computed by its own spec`, line);
      if (bound !== "") declare(bound, line);
      if (lines.has(call.result)) throw new ParseFault(`specs.${call.result} serves a second call`, line);
      lines.set(call.result, line);
      calls.push(call);
    },
    calls: () => calls,
  };
}

/** `const { a, b } = protocols;`, where the body has that parameter. */
function readProtocolList(reader: TokenReader, scope: BodyScope): void {
  if (reader.accepts("const") && scope.hasParameter("protocols")) {
    reader.expect("{");
    for (const name of reader.list("}", () => reader.take("name", "a protocol"))) scope.addProtocol(name);
    reader.expect("= protocols ;");
  } else if (scope.hasParameter("protocols")) reader.fail("the list of protocols");
}

/** A call, or several in lock step. `bound` is the name or the names of its results; "": none. */
function readStatement(reader: TokenReader, scope: BodyScope, line: number, bound: readonly string[] | string): void {
  if (typeof bound === "string" && reader.sees("local")) scope.addCall(readLocalCall(reader, scope), line, bound);
  else {
    reader.expect("yield");
    reader.expectOnLine("*");
    if (reader.sees("parallel")) readParallelCalls(reader, scope, bound);
    else if (typeof bound === "string") scope.addCall(readProtocolCall(reader, scope), line, bound);
    else reader.fail("parallel");
  }
  reader.expect(";");
}

function readParallelCalls(reader: TokenReader, scope: BodyScope, bound: readonly string[] | string): void {
  scope.requireParameter("parallel");
  reader.expect("parallel (");
  const group = scope.calls().length;
  const together = reader.list(")", () => ({
    line: reader.line(),
    call: { ...readProtocolCall(reader, scope), group },
  }));
  const names = typeof bound === "string" ? [] : bound;
  if (bound !== "" && (typeof bound === "string" || names.length > together.length)) reader.fail("a list of results");
  together.forEach(({ call, line }, k) => void scope.addCall(call, line, names[k] ?? ""));
}

/** `name.run(party.at("label"), specs.result, …)` */
function readProtocolCall(reader: TokenReader, scope: BodyScope): ParsedCall {
  const callee = reader.take("name", "a protocol");
  if (!scope.hasProtocol(callee)) reader.fail(`a protocol of the list instead of ${callee}`);
  reader.expect(". run ( party . at (");
  const label = reader.string();
  if (!isValueName(label)) reader.fail(`the name of a value instead of ${JSON.stringify(label)} before it`);
  reader.expect(") ,");
  const result = readMember(reader, "specs");
  return { kind: "protocol", callee, label, result, args: readOperands(reader, scope) };
}

/** `local.name(party, specs.result, …)` */
function readLocalCall(reader: TokenReader, scope: BodyScope): ParsedCall {
  scope.requireParameter("local");
  const callee = readMember(reader, "local");
  reader.expect("( party ,");
  const result = readMember(reader, "specs");
  return { kind: "local", callee, result, args: readOperands(reader, scope) };
}

function readOperands(reader: TokenReader, scope: BodyScope): readonly ParsedArgument[] {
  if (reader.accepts(",")) return reader.list(")", () => readArgument(reader, scope));
  reader.expect(")");
  return [];
}

const argumentKinds = [
  ["inputs", "input"],
  ["weights", "weight"],
  ["cached", "cached"],
] as const;

function readArgument(reader: TokenReader, scope: BodyScope): ParsedArgument {
  const member = argumentKinds.find(([object]) => reader.sees(object));
  if (member) {
    const [object, kind] = member;
    scope.requireParameter(object);
    return { kind, name: readMember(reader, object) };
  }
  const name = reader.take("name", "an operand");
  if (!scope.hasValue(name)) reader.fail(`a value that was computed before instead of ${name}`);
  return { kind: "value", name };
}

/**
 * Parses `*body({ protocols, local, parallel }, party, inputs, weights, cached)`; unused parameters at the end are
 * omitted.
 */
function readParameters(reader: TokenReader): ReadonlySet<string> {
  reader.expect("* body ( {");
  const given = new Set(reader.list("}", () => reader.take("name", "a tool")));
  const odd = [...given].find((name) => !["protocols", "local", "parallel"].includes(name));
  if (odd !== undefined) reader.fail(`protocols, local or parallel instead of ${odd}`);
  reader.expect(", party");
  if (reader.accepts(",")) {
    if (!reader.accepts("_inputs")) {
      reader.expect("inputs");
      given.add("inputs");
    }
    if (reader.accepts(",")) {
      reader.expect("weights");
      given.add("weights");
      if (reader.accepts(",")) {
        reader.expect("cached");
        given.add("cached");
      }
    }
  }
  reader.expect(")");
  return given;
}

/** Names of an array pattern; empty for an unused result. */
function readPattern(reader: TokenReader): readonly string[] {
  const names: string[] = [];
  while (!reader.accepts("]")) {
    names.push(reader.sees(",") ? "" : reader.take("name", "a name"));
    if (!reader.accepts(",")) {
      reader.expect("]");
      break;
    }
  }
  return names;
}

function readReturns(reader: TokenReader, scope: BodyScope): ReadonlyMap<string, string> {
  const returns = new Map<string, string>();
  reader.expectOnLine("{");
  reader.list("}", () => {
    const key = readKey(reader);
    if (!isValueName(key)) reader.fail(`the name of a value instead of ${JSON.stringify(key)} before it`);
    const value = reader.accepts(":") ? reader.take("name", "a value") : key;
    if (!scope.hasValue(value)) reader.fail(`a value that was computed before instead of ${value}`);
    if (returns.has(key)) reader.fail(`each output once; ${key} occurs twice`);
    returns.set(key, value);
  });
  return returns;
}

/** Parses `object.name` or `object["any name"]`. */
export function readMember(reader: TokenReader, object: string): string {
  reader.expect(object);
  if (reader.accepts(".")) return reader.take("name", "a name");
  reader.expect("[");
  const name = reader.string();
  reader.expect("]");
  return name;
}
