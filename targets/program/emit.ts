import CodeBlockWriter from "code-block-writer";
import type { Role } from "../../runtime/core/index.ts";
import type { Fixed } from "../../runtime/protocols/kit/index.ts";
import { headerOf, stepComment, subjectOf } from "./comments.ts";
import { createIdentifiers, literal, member, record, requireLabels, stringLiteral } from "./literals.ts";
import type { CallArgument, OpCall, ProgramPlan } from "./plan.ts";

export interface ProgramFacts {
  /** SHA-256 of program.mir, hex. */
  readonly hash: string;
  /** Version of the compiler. */
  readonly compiler: string;
}

export interface EmittedProgram {
  /** The text for auditors: type-checks against the runtime. */
  readonly ts: string;
  /** The same text without its types: no imports, loads from anywhere. */
  readonly js: string;
}

/** What the writers of one program share. */
interface Scope {
  readonly plan: ProgramPlan;
  readonly role: Role;
  /** Whether the text has types. */
  readonly typed: boolean;
  readonly variable: (value: string) => string;
  /** Values that something reads. */
  readonly used: ReadonlySet<string>;
}

/**
 * The program of one role as text: one body for all roles, comments from the view of this one. Equal plans give equal
 * bytes.
 * @throws RangeError if the name of a result or a weight is not printable ASCII: both open streams of randomness.
 */
export function emitProgram(plan: ProgramPlan, role: Role, facts: ProgramFacts): EmittedProgram {
  requireLabels([...plan.steps.flat().map(({ op }) => op.result), ...Object.keys(plan.weights)]);
  const scope = scopeOf(plan, role);
  return { ts: textOf({ ...scope, typed: true }, facts), js: textOf({ ...scope, typed: false }, facts) };
}

function scopeOf(plan: ProgramPlan, role: Role): Omit<Scope, "typed"> {
  const calls = plan.steps.flat();
  const read = calls.flatMap(({ args }) => args.filter((arg) => arg.kind === "value").map((arg) => arg.id));
  return {
    plan,
    role,
    variable: createIdentifiers(namesOf(plan, "protocol")),
    used: new Set([...read, ...Object.keys(plan.outputs), ...Object.values(plan.cached).map(({ value }) => value)]),
  };
}

function textOf(scope: Scope, facts: ProgramFacts): string {
  const { plan, role, typed } = scope;
  const writer = new CodeBlockWriter({ indentNumberOfSpaces: 2 });
  writer.write(headerOf(plan, role, facts)).newLine();
  if (typed) writer.blankLine().writeLine(`import type { ${typesUsed(plan).join(", ")} } from "marillc/runtime";`);
  const table = (name: string, entries: Entries, type: string, as = ""): void =>
    writeTable(writer, name, entries, typed ? ` ${as}satisfies ${type}` : "");
  table("types", typesOf(scope), "Record<string, Fixed>");
  table("specs", specsOf(scope), "Record<string, Spec>");
  if (hasServerInput(plan)) table("inputTypes", literals(plan.inputs), "Record<string, InputDecl>", "as const ");
  else table("inputTypes", literals(plan.inputs), "Record<string, Fixed>");
  table("weightTypes", literals(plan.weights), "Record<string, WeightDecl>", "as const ");
  table("outputTypes", literals(plan.outputs), "Record<string, OutputDecl>", "as const ");
  if (hasCache(plan)) table("cachedTypes", cacheTypes(plan), "Record<string, CachedDecl>", "as const ");
  writeProgram(writer, scope, facts);
  return writer.toString();
}

const typesUsed = (plan: ProgramPlan): readonly string[] => [
  ...(hasCache(plan) ? ["CachedDecl"] : []),
  "Fixed",
  ...(hasServerInput(plan) ? ["InputDecl"] : []),
  "OutputDecl",
  "Program",
  "Spec",
  "WeightDecl",
];

const hasCache = ({ cached }: ProgramPlan): boolean => Object.keys(cached).length > 0;

/** Only such programs say whose inputs are. */
const hasServerInput = ({ inputs }: ProgramPlan): boolean => Object.values(inputs).some(({ of }) => of !== undefined);

const cacheTypes = ({ cached }: ProgramPlan): Entries =>
  Object.entries(cached).map(([name, { value: _, ...decl }]) => [name, literal(decl)]);

type Entries = readonly (readonly [key: string, text: string])[];

const literals = (values: Readonly<Record<string, unknown>>): Entries =>
  Object.entries(values).map(([key, value]) => [key, literal(value)]);

/** A constant with one entry per line; `as const` where strings must keep their literal types. */
function writeTable(writer: CodeBlockWriter, name: string, entries: Entries, type: string): void {
  writer.blankLine().write(`const ${name} = `);
  if (entries.length === 0) writer.write("{}");
  else writer.inlineBlock(() => writeEntries(writer, entries));
  writer.write(`${type};`).newLine();
}

function writeEntries(writer: CodeBlockWriter, entries: Entries): void {
  for (const entry of entries) writer.writeLine(`${record([entry]).slice(2, -2)},`);
}

/** The type of each value by its variable, in the order of first use. */
function typesOf({ plan, variable }: Scope): Entries {
  const types = new Map<string, string>();
  const see = (id: string, fixed: Fixed): void => {
    const text = literal(fixed);
    const known = types.get(variable(id));
    if (known !== undefined && known !== text) throw new Error(`%${id} has two types: ${known} and ${text}`);
    types.set(variable(id), text);
  };
  for (const { op, spec } of plan.steps.flat()) {
    spec.operands.forEach((fixed, index) => void see(op.operands[index]!, fixed));
    see(op.result, spec.result);
  }
  return [...types];
}

function specsOf({ plan, variable }: Scope): Entries {
  return plan.steps.flat().map(({ op, spec }) => {
    const operands = `[${op.operands.map((id) => member("types", variable(id))).join(", ")}]`;
    const result = member("types", variable(op.result));
    const fields: Entries = [
      ["operands", operands],
      ["result", result],
      ["attrs", literal(spec.attrs)],
    ];
    return [variable(op.result), record(fields)];
  });
}

function writeProgram(writer: CodeBlockWriter, scope: Scope, { hash }: ProgramFacts): void {
  const { plan, variable, typed } = scope;
  const { name, setting } = plan;
  const tables = ["inputTypes", "weightTypes", ...(hasCache(plan) ? ["cachedTypes"] : [])];
  const type = typed ? `: Program<${tables.map((table) => `keyof typeof ${table}`).join(", ")}>` : "";
  writer.blankLine().write(`export const program${type} = `);
  writer.inlineBlock(() => {
    writeEntries(writer, literals({ name, hash, setting }));
    writer.writeLine("inputs: inputTypes,");
    writer.writeLine("outputs: outputTypes,");
    writer.writeLine("weights: weightTypes,");
    if (hasCache(plan)) writer.writeLine("cached: cachedTypes,");
    writer.write(`*body(${parametersOf(plan)}) `);
    writer.inlineBlock(() => {
      const protocols = namesOf(plan, "protocol");
      if (protocols.length > 0) writeProtocols(writer, protocols);
      writeSteps(writer, scope);
      const outputs = Object.keys(plan.outputs).map((id): readonly [string, string] => [id, variable(id)]);
      const cached = Object.entries(plan.cached).map(([name, { value }]): readonly [string, string] => [
        name,
        variable(value),
      ]);
      writer.writeLine(`return ${record([...outputs, ...cached])};`);
    });
    writer.write(",").newLine();
  });
  writer.write(";").newLine();
}

const namesOf = (plan: ProgramPlan, kind: OpCall["callee"]["kind"]): readonly string[] =>
  [...new Set(plan.steps.flat().flatMap(({ callee }) => (callee.kind === kind ? [callee.name] : [])))].sort();

/** Only what the body uses: the project's compiler options refuse the rest. */
function parametersOf(plan: ProgramPlan): string {
  const tools = [
    ...(namesOf(plan, "protocol").length > 0 ? ["protocols"] : []),
    ...(namesOf(plan, "local").length > 0 ? ["local"] : []),
    ...(plan.steps.some((step) => step.length > 1) ? ["parallel"] : []),
  ];
  const parameters = [`{ ${tools.join(", ")} }`, "party", "inputs", "weights"];
  const kinds = new Set(plan.steps.flat().flatMap(({ args }) => args.map(({ kind }) => kind)));
  if (kinds.has("cached")) return [...parameters, "cached"].join(", ");
  if (kinds.has("weight"))
    return kinds.has("input") ? parameters.join(", ") : parameters.join(", ").replace("inputs", "_inputs");
  return parameters.slice(0, kinds.has("input") ? 3 : 2).join(", ");
}

function writeProtocols(writer: CodeBlockWriter, names: readonly string[]): void {
  const line = `const { ${names.join(", ")} } = protocols;`;
  if (line.length <= 116) {
    writer.writeLine(line);
    return;
  }
  writer.write("const ").inlineBlock(() => {
    for (const name of names) writer.writeLine(`${name},`);
  });
  writer.write(" = protocols;").newLine();
}

function writeSteps(writer: CodeBlockWriter, scope: Scope): void {
  let subject = "";
  for (const step of scope.plan.steps) {
    const { inputs } = scope.plan;
    const comment = stepComment(step, scope.role, inputs);
    if (comment.length > 0) {
      for (const line of comment) writer.writeLine(line);
      writeStep(writer, scope, step);
      subject = subjectOf(step.at(-1)!, inputs);
    } else {
      // Without traffic: the origin, if it differs from the previous one.
      const own = subjectOf(step[0]!, inputs);
      writeStep(writer, scope, step, own === subject ? "" : own);
      subject = own;
    }
  }
}

function writeStep(writer: CodeBlockWriter, scope: Scope, step: readonly OpCall[], trailing = ""): void {
  const { variable, used } = scope;
  const end = trailing === "" ? "" : ` // ${trailing}`;
  const resultOf = ({ op }: OpCall): string => (used.has(op.result) ? variable(op.result) : "");
  const isAlone = ({ callee }: OpCall): boolean => step.length === 1 || callee.kind === "local";
  // Ops of a step do not depend on each other: those without rounds may come first.
  for (const call of step.filter(isAlone)) {
    const result = resultOf(call);
    writer.writeLine(`${result === "" ? "" : `const ${result} = `}${callOf(scope, call, true)};${end}`);
  }
  const together = step.filter((call) => !isAlone(call));
  if (together.length === 0) return;
  const results = together.map(resultOf);
  const pattern = results.some((result) => result !== "") ? `const [${results.join(", ")}] = ` : "";
  writer.write(`${pattern}yield* parallel(`).newLine();
  writer.indent(() => {
    for (const call of together) writer.writeLine(`${callOf(scope, call, false)},`);
  });
  writer.write(`);${end}`).newLine();
}

/** One op: steps of a protocol, run here (`alone`) or by `parallel`; a local operator takes no steps. */
function callOf({ variable }: Scope, { op, callee, args }: OpCall, alone: boolean): string {
  const operands = args.map((argument) => argumentOf(argument, variable));
  const spec = member("specs", variable(op.result));
  if (callee.kind === "local") return `${member("local", callee.name)}(${["party", spec, ...operands].join(", ")})`;
  const here = `party.at(${stringLiteral(op.result)})`;
  return `${alone ? "yield* " : ""}${callee.name}.run(${[here, spec, ...operands].join(", ")})`;
}

function argumentOf(argument: CallArgument, variable: (id: string) => string): string {
  if (argument.kind === "value") return variable(argument.id);
  if (argument.kind === "cached") return member("cached", argument.id);
  return argument.kind === "input" ? member("inputs", argument.id) : member("weights", argument.key);
}
