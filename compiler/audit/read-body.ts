import { ParseFault, readKey, type TokenReader } from "./token-reader.ts";

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

/**
 * Parses the generator: calls of protocols and of local operators, alone or in lock step, and one return of outputs.
 */
export function readBody(reader: TokenReader): ParsedBody {
  const given = readParameters(reader);
  const protocols = new Set<string>();
  const values = new Set<string>();
  const calls: ParsedCall[] = [];
  const lines = new Map<string, number>();
  const declare = (name: string, line: number): void => {
    if ([...runtimeNames, ...tableNames].includes(name) || protocols.has(name) || values.has(name)) {
      throw new ParseFault(`${name} is already the name of something else`, line);
    }
    values.add(name);
  };
  const tool = (name: string): void => {
    if (!given.has(name)) reader.fail(`${name} among the parameters`);
  };
  const argument = (): ParsedArgument => {
    for (const [object, kind] of [
      ["inputs", "input"],
      ["weights", "weight"],
      ["cached", "cached"],
    ] as const) {
      if (reader.sees(object)) {
        tool(object);
        return { kind, name: readMember(reader, object) };
      }
    }
    const name = reader.take("name", "an operand");
    if (!values.has(name)) reader.fail(`a value that was computed before instead of ${name}`);
    return { kind: "value", name };
  };
  const operands = (): readonly ParsedArgument[] =>
    reader.accepts(",") ? reader.list(")", argument) : noOperands(reader);
  const protocolCall = (): ParsedCall => {
    const callee = reader.take("name", "a protocol");
    if (!protocols.has(callee)) reader.fail(`a protocol of the list instead of ${callee}`);
    reader.expect(". run ( party . at (");
    const label = reader.string();
    reader.expect(") ,");
    const result = readMember(reader, "specs");
    return { kind: "protocol", callee, label, result, args: operands() };
  };
  const localCall = (): ParsedCall => {
    tool("local");
    const callee = readMember(reader, "local");
    reader.expect("( party ,");
    const result = readMember(reader, "specs");
    return { kind: "local", callee, result, args: operands() };
  };
  const add = (call: ParsedCall, line: number, bound: string): void => {
    if (bound !== "" && bound !== call.result) throw new ParseFault(`${bound} is not computed by its own spec`, line);
    if (bound !== "") declare(bound, line);
    if (lines.has(call.result)) throw new ParseFault(`specs.${call.result} serves a second call`, line);
    lines.set(call.result, line);
    calls.push(call);
  };
  const statement = (line: number, bound: readonly string[] | string): void => {
    if (typeof bound === "string" && reader.sees("local")) add(localCall(), line, bound);
    else {
      reader.expect("yield *");
      if (reader.sees("parallel")) {
        tool("parallel");
        reader.expect("parallel (");
        const group = calls.length;
        const together = reader.list(")", () => ({ line: reader.line(), call: { ...protocolCall(), group } }));
        const names = typeof bound === "string" ? [] : bound;
        if (bound !== "" && (typeof bound === "string" || names.length > together.length))
          reader.fail("a list of results");
        together.forEach((each, k) => void add(each.call, each.line, names[k] ?? ""));
      } else if (typeof bound === "string") add(protocolCall(), line, bound);
      else reader.fail("parallel");
    }
    reader.expect(";");
  };
  reader.expect("{");
  if (reader.accepts("const") && given.has("protocols")) {
    reader.expect("{");
    for (const name of reader.list("}", () => reader.take("name", "a protocol"))) {
      if ([...runtimeNames, ...tableNames].includes(name) || protocols.has(name))
        reader.fail(`${name} once, and as a protocol`);
      protocols.add(name);
    }
    reader.expect("= protocols ;");
  } else if (given.has("protocols")) reader.fail("the list of protocols");
  for (;;) {
    const line = reader.line();
    if (reader.accepts("return")) break;
    if (!reader.accepts("const")) statement(line, "");
    else {
      const bound = reader.accepts("[") ? readPattern(reader) : reader.take("name", "a name");
      reader.expect("=");
      statement(line, bound);
    }
  }
  const returns = readReturns(reader, values);
  reader.expect("; }");
  return { protocols: [...protocols], calls, returns, lines };
}

function noOperands(reader: TokenReader): readonly ParsedArgument[] {
  reader.expect(")");
  return [];
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

function readReturns(reader: TokenReader, values: ReadonlySet<string>): ReadonlyMap<string, string> {
  const returns = new Map<string, string>();
  reader.expect("{");
  reader.list("}", () => {
    const key = readKey(reader);
    const value = reader.accepts(":") ? reader.take("name", "a value") : key;
    if (!values.has(value)) reader.fail(`a value that was computed before instead of ${value}`);
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
