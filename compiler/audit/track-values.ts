import { checkKept, checkReveal, sameShape, typeText } from "./check-outputs.ts";
import type { Finding } from "./finding.ts";
import { localShapes } from "./local-shapes.ts";
import type { ParsedProgramText, ParsedShareType, ParsedSpec } from "./parse-program.ts";
import { type ProtocolSignature, protocolSignatures, type SharingForm } from "./protocol-signatures.ts";
import type { ParsedArgument, ParsedCall } from "./read-body.ts";

/** Who knows a value in the clear; `shared`: nobody. */
export type ValueLabel = "public" | "client" | "server" | "shared";

/** Whose secrets a value was computed from. */
export type Origin = "client" | "server";

export interface TrackedValue {
  readonly label: ValueLabel;
  readonly form: SharingForm;
  readonly from: ReadonlySet<Origin>;
  readonly type: Pick<ParsedShareType, "shape" | "width" | "scale">;
}

export interface OpenedValue {
  readonly value: string;
  readonly to: string;
  readonly shape: readonly number[];
  /** Whose secrets it depends on. */
  readonly from: readonly Origin[];
}

/** An output that nobody reads: each party keeps its residue. */
export interface KeptValue extends Omit<OpenedValue, "to"> {
  readonly type: ParsedShareType;
}

export interface ValueFlow {
  readonly kept: readonly KeptValue[];
  /** Every opened value, in order. */
  readonly opened: readonly OpenedValue[];
  /** Every value that a call computes. */
  readonly values: ReadonlyMap<string, TrackedValue>;
  readonly findings: readonly Finding[];
}

const labelByForm: Readonly<Partial<Record<SharingForm, ValueLabel>>> = { public: "public", client: "client" };
const labelOf = (form: SharingForm): ValueLabel =>
  labelByForm[form] ?? (form === "weight" || form === "fixed" || form === "server" ? "server" : "shared");

/** The form of a weight by the form that a program declares; `disclosed`: public, and sent to the dealer too. */
const formOfWeight: ReadonlyMap<string, SharingForm> = new Map([
  ["known", "weight"],
  ["fixed", "fixed"],
  ["server", "server"],
  ["public", "public"],
  ["disclosed", "public"],
]);

/** Whether a shape is that of the query's own rows, with `rows` of them along one axis. */
const isCacheSlice = (shape: readonly number[], own: readonly number[], rows: number): boolean =>
  shape.length === own.length && own.some((_, axis) => sameShape(shape, own.with(axis, rows)));
const isShared = ({ form }: TrackedValue): boolean => form === "share" || form === "replicated";

/**
 * Follows every value of a program from its input to its opening: who knows it, how it is held, and whose secrets it
 * depends on. One pass, call by call: programs have no branch and no loop.
 */
export function trackValues(program: ParsedProgramText, file: string): ValueFlow {
  const findings: Finding[] = [];
  const values = new Map<string, TrackedValue>();
  const opened: OpenedValue[] = [];
  const kept: KeptValue[] = [];
  const outputOf = new Map([...program.returns].map(([output, variable]) => [variable, output]));
  const labels = new Set<string>();
  const used = new Set<string>();

  for (const call of program.calls) {
    const at = `${file}, line ${program.lines.get(call.result)}`;
    const spec = program.specs.get(call.result);
    const type = spec && program.types.get(spec.result);
    if (!spec || !type || spec.result !== call.result) {
      findings.push({ code: "MRL0907", message: `${call.result} has no type of its own`, at });
      continue;
    }
    const operands = call.args.map((argument, index) => {
      used.add(`${argument.kind} ${argument.name}`);
      return resolveOperand(argument, program, values, spec, index);
    });
    const wrong = operands.flatMap((operand) => (typeof operand === "string" ? [operand] : []));
    if (spec.operands.length !== operands.length)
      wrong.push(`${spec.operands.length} types, ${operands.length} operands`);
    if (call.label !== undefined) {
      if (labels.has(call.label)) findings.push(reusedRandomness(call.label, at));
      labels.add(call.label);
    }
    findings.push(...wrong.map((message) => ({ code: "MRL0907", message: `${call.result}: ${message}`, at })));
    const known = operands.filter((operand) => typeof operand !== "string");
    if (wrong.length > 0) continue;

    const checked =
      call.kind === "local" ? checkLocalCall(call, spec, type, known) : checkProtocolCall(call, program, known);
    findings.push(...checked.problems.map((problem) => ({ ...problem, at })));
    const from = new Set(known.flatMap((operand) => [...operand.from]));
    const label = labelOf(checked.gives);
    if (checked.gives === "kept") {
      const output = outputOf.get(call.result);
      values.set(call.result, { form: "kept", label, from, type });
      kept.push({ value: output ?? call.result, shape: type.shape, from: [...from].sort(), type });
      const messages = checkKept(call, program, known[0], output);
      findings.push(...messages.map((message) => ({ code: "MRL0905", message, at })));
      continue;
    }
    if (checked.gives !== "opened") {
      values.set(call.result, { form: checked.gives, label, from, type });
      continue;
    }
    const to = String(spec.attrs.to);
    const output = outputOf.get(call.result);
    values.set(call.result, { form: "opened", label: to === "server" ? "server" : "client", from, type });
    opened.push({ value: output ?? call.result, to, shape: known[0]?.type.shape ?? [], from: [...from].sort() });
    findings.push(...checkReveal(call, program, known[0], output).map((message) => ({ code: "MRL0905", message, at })));
  }
  return { opened, kept, values, findings: [...findings, ...checkWholeProgram(program, values, used, file)] };
}

const reusedRandomness = (label: string, at: string): Finding => ({
  code: "MRL0908",
  message: `${JSON.stringify(label)} draws the randomness of two calls: the same masks twice`,
  at,
});

/** An operand in its form, or why it does not match the spec. */
function resolveOperand(
  { kind, name }: ParsedArgument,
  program: ParsedProgramText,
  values: ReadonlyMap<string, TrackedValue>,
  spec: ParsedSpec,
  index: number,
): TrackedValue | string {
  const typeName = spec.operands[index];
  const declared = typeName === undefined ? undefined : program.types.get(typeName);
  if (!declared) return `operand ${index} has no type`;
  if (kind === "value") {
    const value = values.get(name);
    if (!value) return `${name} has no valid computation`;
    return typeName === name ? value : `${name} is passed as a ${typeName}`;
  }
  if (kind === "input") {
    const type = program.inputs.get(name);
    if (!type) return `the program has no input ${name}`;
    if (!sameShape(type.shape, declared.shape)) return `input ${name} is ${typeText(type)}, not ${typeText(declared)}`;
    if (type.of === "shared") return { form: "residue", label: "shared", from: new Set(["client", "server"]), type };
    const owner = type.of === "server" ? "server" : "client";
    return { form: owner, label: owner, from: new Set([owner]), type };
  }
  if (kind === "cached") {
    const type = program.cached.get(name);
    if (!type) return `the program has no kept masked value ${name}`;
    const fits =
      type.width === declared.width &&
      type.scale === declared.scale &&
      isCacheSlice(declared.shape, type.shape, type.past);
    if (!fits) return `kept masked value ${name} is ${typeText(type)}, not ${typeText(declared)}`;
    return { form: "masked", label: "shared", from: new Set(["client", "server"]), type: declared };
  }
  const type = program.weights.get(name);
  const form = type && formOfWeight.get(type.form);
  if (!type || !form) return `the program has no weight ${name}`;
  const axis = type.rowAxis ?? type.shape.length;
  const rows = declared.shape[axis] ?? 0;
  // Some rows of it, where it has a position axis; else the whole weight.
  const whole = axis < type.shape.length && rows <= type.shape[axis]! ? type.shape.with(axis, rows) : type.shape;
  if (!sameShape(whole, declared.shape) || type.scale !== declared.scale) {
    return `weight ${name} is ${typeText(type)}, not ${typeText(declared)}`;
  }
  const label = labelOf(form);
  return { form, label, from: new Set(label === "server" ? ["server"] : []), type: { ...type, shape: whole } };
}

interface CallCheck {
  readonly gives: ProtocolSignature["result"];
  readonly problems: readonly Omit<Finding, "at">[];
}

function checkProtocolCall(
  call: ParsedCall,
  { setting }: ParsedProgramText,
  operands: readonly TrackedValue[],
): CallCheck {
  const functionality = protocolSignatures.get(call.callee);
  if (!functionality) {
    return { gives: "share", problems: [{ code: "MRL0903", message: `${call.callee} is not a known protocol` }] };
  }
  const { operands: takes, result: gives, settings } = functionality;
  const problems = operands.flatMap(({ form }, index) => {
    const wanted = takes[Math.min(index, takes.length - 1)]!;
    if (form === wanted) return [];
    return [
      { code: "MRL0904", message: `${call.result}: ${call.callee} takes a ${wanted} operand, not a ${form} one` },
    ];
  });
  if (operands.length === 0)
    problems.push({ code: "MRL0904", message: `${call.result}: ${call.callee} without operand` });
  if (!settings.includes(setting)) {
    problems.push({ code: "MRL0904", message: `${call.callee} is not for the setting ${setting}` });
  }
  return { gives, problems };
}

/** Operators that take a value that only the server knows: it joins the server's share. */
const acceptsServerOperand: ReadonlySet<string> = new Set(["add", "sub", "concat"]);

/** Takes shares and public integers; a value that only the server knows may be added or concatenated. */
function checkLocalCall(
  call: ParsedCall,
  spec: ParsedSpec,
  type: ParsedShareType,
  operands: readonly TrackedValue[],
): CallCheck {
  const { callee, result } = call;
  const shape = localShapes.get(callee);
  if (!shape) return { gives: "share", problems: [{ code: "MRL0903", message: `${callee} is not a local operator` }] };
  const shared = operands.filter(isShared);
  const gives = shared[0]?.form === "replicated" ? "replicated" : "share";
  const fits = ({ form }: TrackedValue): boolean =>
    form === gives ||
    form === "public" ||
    (form === "server" && acceptsServerOperand.has(callee)) ||
    (form === "weight" && gives === "replicated");
  const misfits = operands.filter((operand) => !fits(operand));
  const problems = misfits.map(({ form }) => ({
    code: "MRL0904",
    message: `${result}: a party cannot compute ${callee} with a ${form} operand`,
  }));
  if (shared.length === 0) problems.push({ code: "MRL0904", message: `${result}: ${callee} has no shared operand` });
  const shapes = operands.map((operand) => operand.type.shape);
  const found = shape(shapes, spec.attrs, type.shape);
  if (!found || !sameShape(found, type.shape)) {
    const is = found ? `[${found.join(", ")}]` : "nothing";
    problems.push({ code: "MRL0907", message: `${result} is declared as ${typeText(type)}; ${callee} gives ${is}` });
  }
  const widths = shared.map((operand) => operand.type.width);
  const kept =
    callee === "narrow" ? widths.every((width) => type.width <= width) : widths.every((w) => w === type.width);
  if (!kept)
    problems.push({ code: "MRL0907", message: `${result} of ${type.width} bits is computed from ${widths} bits` });
  return { gives, problems };
}

/** Checks the whole program: outputs are opened, opened values go nowhere else, and every declaration is used. */
function checkWholeProgram(
  { returns, outputs, cached, calls, specs, types, inputs, weights }: ParsedProgramText,
  values: ReadonlyMap<string, TrackedValue>,
  used: ReadonlySet<string>,
  file: string,
): readonly Finding[] {
  const messages: (readonly [code: string, message: string])[] = [];
  for (const [output, { to }] of outputs) {
    const value = values.get(returns.get(output) ?? "");
    if (to === "shared" && value?.form !== "kept")
      messages.push(["MRL0906", `${output} is declared as kept in shares, but is not`]);
    if (to !== "shared" && value?.form !== "opened")
      messages.push(["MRL0906", `${output} is a declared output, but is never opened`]);
  }
  for (const [name, decl] of cached) {
    const value = values.get(returns.get(name) ?? "");
    const same = value && sameShape(value.type.shape, decl.shape) && value.type.width === decl.width;
    if (value?.form !== "masked" || !same)
      messages.push(["MRL0904", `${name} is declared as kept, but is not such a masked value`]);
  }
  for (const output of returns.keys()) {
    if (outputs.has(output) && cached.has(output)) messages.push(["MRL0905", `${output} is both kept and an output`]);
    if (!outputs.has(output) && !cached.has(output))
      messages.push(["MRL0905", `${output} is returned, but is not a declared output`]);
  }
  const called = new Set(calls.map(({ result }) => result));
  const named = new Set([...specs].flatMap(([name, { operands }]) => [name, ...operands]));
  const idle = [
    ...[...specs.keys()].filter((name) => !called.has(name)).map((name) => `specs.${name}`),
    ...[...types.keys()].filter((name) => !named.has(name)).map((name) => `types.${name}`),
    ...[...inputs.keys()].filter((name) => !used.has(`input ${name}`)).map((name) => `input ${name}`),
    ...[...weights.keys()].filter((name) => !used.has(`weight ${name}`)).map((name) => `weight ${name}`),
  ];
  for (const what of idle) messages.push(["MRL0907", `${what} is declared, but nothing uses it`]);
  return messages.map(([code, message]) => ({ code, message, at: file }));
}
