import type { Finding } from "./finding.ts";
import type { ParsedModule, ParsedOp, ParsedType } from "./parse-mir.ts";
import type { ParsedProgramText, ParsedShareType } from "./parse-program.ts";
import { exportNameOf, protocolSignatures } from "./protocol-signatures.ts";
import type { ParsedArgument, ParsedCall } from "./read-body.ts";
import type { ValueFlow } from "./track-values.ts";

/** Serializes attributes so that equal ones give equal text, in any order. */
const sortedJson = (attrs: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Compares bounds where the module has them, and ring and scale where a value is in fixed point. */
const typesMatch = (said: ParsedShareType, { element, shape, range }: ParsedType): boolean => {
  const [width, scale] = ringOf(element);
  const inRange = !range || (said.lo === range[0] && said.hi === range[1]);
  const inRing = !element.startsWith("fx") || (said.width === width && said.scale === scale);
  return said.shape.join() === shape.join() && inRange && inRing;
};

/**
 * Compares a program with program.mir, op by op. The dealer service executes program.mir rather than the dealer's
 * program, so reading the programs is useful only if both agree.
 */
export function compareWithModule(
  program: ParsedProgramText,
  flow: ValueFlow,
  module: ParsedModule,
  file: string,
): readonly Finding[] {
  const differ = (message: string): Finding => ({ code: "MRL0909", message, at: file });
  const ops = module.steps.flat();
  const names = [...program.specs.keys()];
  if (names.length !== ops.length)
    return [differ(`expected ${ops.length} calls as in program.mir, found ${names.length}`)];
  const variables = new Map(ops.map(({ result }, k) => [result, names[k]!]));
  const findings: Finding[] = [];
  if (module.name !== program.name)
    findings.push(differ(`the program is called ${program.name}, program.mir ${module.name}`));
  const calls = new Map(program.calls.map((call) => [call.result, call]));
  for (const op of ops) {
    const variable = variables.get(op.result)!;
    const why = callMismatches(op, calls.get(variable), {
      program,
      flow,
      module,
      variables,
      operandVariable: variable,
    });
    findings.push(...why.map((what) => differ(`${variable}: ${what} than in program.mir`)));
  }
  findings.push(
    ...cacheMismatches(program, ops, variables).map((name) =>
      differ(`${name} keeps another value than in program.mir`),
    ),
  );
  const own = [...module.inputs].filter(([, { sharing }]) => sharing !== "masked").map(([name]) => name);
  const order = (all: readonly string[]): string => all.join(", ");
  if (order(program.calls.map(({ result }) => result)) !== order(expectedOrder(module, variables))) {
    findings.push(differ("the calls are in another order than in program.mir"));
  }
  const loose = looseInputs(program, ops);
  findings.push(...loose.map((name) => differ(`input ${name} has other bounds than its share in program.mir`)));
  for (const [what, mine, theirs] of [
    ["inputs", [...program.inputs.keys()], own],
    ["outputs", [...program.outputs.keys()], module.outputs],
    ["outputs", [...program.returns.keys()].filter((name) => !program.cached.has(name)), module.outputs],
  ] as const) {
    if (order([...mine].sort()) !== order([...theirs].sort()))
      findings.push(differ(`other ${what} than in program.mir`));
  }
  return findings;
}

/** Inputs whose declared bounds, ring or scale, by which the client checks its values, are not those of their share. */
const looseInputs = ({ inputs }: ParsedProgramText, ops: readonly ParsedOp[]): readonly string[] =>
  ops.flatMap(({ operator, operands, type }) => {
    const said = operator === "share" || operator === "take-over" ? inputs.get(operands[0]!) : undefined;
    return said && !typesMatch(said, type) ? [operands[0]!] : [];
  });

/**
 * The operand of attention that a kept masked value is, by the suffix of its name: the dealer relies on these names.
 */
const cachedOperands: Readonly<Record<string, number>> = { key: 1, value: 2 };

/** Kept masked values that are not the operand of attention that their names state. */
function cacheMismatches(
  { cached, returns }: ParsedProgramText,
  ops: readonly ParsedOp[],
  variables: ReadonlyMap<string, string>,
): readonly string[] {
  // A result that is computed in a short ring and extended behind it keeps its own name.
  const nameOf = ({ result }: ParsedOp): string => result.replace(/\.short$/, "");
  const attention = new Map(ops.filter(({ operator }) => /attention$/.test(operator)).map((op) => [nameOf(op), op]));
  return [...cached.keys()].filter((name) => {
    const dot = name.lastIndexOf(".");
    const op = attention.get(name.slice(0, dot));
    const operand = op?.operands[cachedOperands[name.slice(dot + 1)] ?? -1];
    // In a module without attention, nothing determines what is kept.
    return attention.size > 0 && (operand === undefined || returns.get(name) !== variables.get(operand));
  });
}

interface CallContext {
  readonly program: ParsedProgramText;
  readonly flow: ValueFlow;
  readonly module: ParsedModule;
  readonly variables: ReadonlyMap<string, string>;
  readonly operandVariable: string;
}

function callMismatches(op: ParsedOp, call: ParsedCall | undefined, context: CallContext): readonly string[] {
  const { program, flow, variables, operandVariable } = context;
  if (!call) return ["another call"];
  const found: string[] = [];
  const callee = op.protocol === undefined ? op.operator : exportNameOf(op.protocol);
  if (call.callee !== callee || (call.kind === "protocol") !== (op.protocol !== undefined))
    found.push("another callee");
  const computes = protocolSignatures.get(call.callee)?.operator;
  if (call.kind === "protocol" && computes !== op.operator) found.push(`${computes}, another operator`);
  if (call.label !== undefined && call.label !== op.result) found.push("other randomness");
  if (sortedJson(program.specs.get(operandVariable)!.attrs) !== sortedJson(op.attrs)) found.push("other attributes");
  const type = program.types.get(operandVariable);
  // A revealed value is a plain number there; in the program it has the type of its operand.
  const said = op.operator === "reveal" ? { ...op.type, element: "" } : op.type;
  if (type && !typesMatch(type, said)) found.push("another type");
  const wanted = op.operands.map((id) => variables.get(id) ?? id);
  const given = call.args.map((argument, k) => expectedOperand(argument, k, op, context));
  if (given.join() !== wanted.join()) found.push("other operands");
  const value = flow.values.get(operandVariable);
  if (value && value.label !== op.type.label) found.push(`another label, ${value.label}, `);
  if (value && (value.form === "masked") !== (op.type.sharing === "masked")) found.push("another sharing");
  return found;
}

/** The name of an argument in program.mir, if it is what program.mir declares. */
function expectedOperand(
  { kind, name }: ParsedArgument,
  k: number,
  op: ParsedOp,
  { program, module, operandVariable }: CallContext,
): string {
  const id = op.operands[k];
  if (kind === "value") return name;
  if (kind === "cached") {
    const input = module.inputs.get(name);
    const said = program.types.get(program.specs.get(operandVariable)!.operands[k] ?? "");
    return input?.sharing === "masked" && said && typesMatch(said, input) ? name : "";
  }
  if (kind === "input") {
    const label = module.inputs.get(name)?.label;
    const of = label === "server" || label === "shared" ? label : undefined;
    return label !== undefined && program.inputs.get(name)?.of === of ? name : "";
  }
  const decl = program.weights.get(name);
  const param = module.params.get(id ?? "");
  if (!decl || !param || (name !== id && name !== `${id}.${decl.form}${decl.width}`)) return "";
  const isPublic = decl.form === "public" || decl.form === "disclosed";
  const open = decl.form === "server" ? "server" : isPublic ? "public" : param.type.label;
  const { type, placed } = param;
  const shape = placed ? type.shape.with(placed.axis, placed.rows) : type.shape;
  const [width, scale] = ringOf(type.element);
  // A private weight is hidden in the ring of the product that it is for.
  const hidden = decl.form === "known" || decl.form === "fixed" ? ringOf(op.type.element)[0] : width;
  const fits = decl.shape.join() === shape.join() && decl.rowAxis === placed?.axis && decl.width === hidden;
  const same = decl.tensor === `${param.tensor}@${scale}` && decl.scale === scale && fits;
  return same && param.type.label === open ? id! : "";
}

/** Bits and fractional bits of an element; indices have 32. */
function ringOf(element: string): readonly [width: number, scale: number] {
  const fixed = /^fx(\d+)\.(-?\d+)$/.exec(element);
  return fixed ? [Number(fixed[1]), Number(fixed[2])] : [32, 0];
}

/** Within a step, local operators come first. */
function expectedOrder({ steps }: ParsedModule, variables: ReadonlyMap<string, string>): readonly string[] {
  const isLocal = ({ protocol }: ParsedOp): boolean => protocol === undefined;
  return steps
    .flatMap((ops) => [...ops.filter(isLocal), ...ops.filter((op) => !isLocal(op))])
    .map(({ result }) => variables.get(result)!);
}
