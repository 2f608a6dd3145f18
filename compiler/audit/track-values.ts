import { carriesOf, unfaithfulTruncations } from "./carries.ts";
import { checkLocalCall, checkProtocolCall } from "./check-call.ts";
import { checkKept, checkReveal } from "./check-outputs.ts";
import type { Finding } from "./finding.ts";
import type { ParsedProgramText, ParsedShareType, ParsedSpec } from "./parse-program.ts";
import type { SharingForm } from "./protocol-signatures.ts";
import type { ParsedArgument } from "./read-body.ts";
import { labelOf, type Origin, sameShape, type TrackedValue, typeText } from "./tracked-value.ts";

export interface OpenedValue {
  readonly value: string;
  readonly to: string;
  readonly shape: readonly number[];
  /** Whose secrets it depends on. */
  readonly from: readonly Origin[];
  /** Protocols whose rounding by shares its reader sees; absent where a faithful truncation came last. */
  readonly carries?: readonly string[];
}

/** An output that nobody reads: each party keeps its residue. */
export interface KeptValue extends Omit<OpenedValue, "to"> {
  readonly type: ParsedShareType;
}

export interface ValueFlow {
  readonly kept: readonly KeptValue[];
  /** Every opened value, in order. */
  readonly opened: readonly OpenedValue[];
  /** Opened values that a truncation rounded last which is not faithful, and which truncations. */
  readonly unfaithful: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every value that a call computes. */
  readonly values: ReadonlyMap<string, TrackedValue>;
  readonly findings: readonly Finding[];
}

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

/**
 * Follows every value of a program from its input to its opening: who knows it, how it is held, and whose secrets it
 * depends on. One pass, call by call: programs have no branch and no loop.
 */
export function trackValues(program: ParsedProgramText, file: string): ValueFlow {
  const findings: Finding[] = [];
  const values = new Map<string, TrackedValue>();
  const opened: OpenedValue[] = [];
  const kept: KeptValue[] = [];
  const unfaithful = new Map<string, ReadonlySet<string>>();
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
      call.kind === "local"
        ? checkLocalCall(call, spec, type, known)
        : checkProtocolCall(call, program, spec, type, known);
    findings.push(...checked.problems.map((problem) => ({ ...problem, at })));
    const from = new Set(known.flatMap((operand) => [...operand.from]));
    const carries = carriesOf(call, type.scale, known);
    const truncatedBy = unfaithfulTruncations(call, known);
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
      values.set(call.result, { form: checked.gives, label, from, carries, truncatedBy, type });
      continue;
    }
    const to = String(spec.attrs.to);
    const output = outputOf.get(call.result);
    values.set(call.result, { form: "opened", label: to === "server" ? "server" : "client", from, type });
    opened.push({
      ...{ value: output ?? call.result, to, shape: known[0]?.type.shape ?? [], from: [...from].sort() },
      ...(carries.size > 0 && { carries: [...carries].sort() }),
    });
    if (truncatedBy.size > 0) unfaithful.set(output ?? call.result, truncatedBy);
    findings.push(...checkReveal(call, program, known[0], output).map((message) => ({ code: "MRL0905", message, at })));
  }
  return {
    opened,
    kept,
    unfaithful,
    values,
    findings: [...findings, ...checkWholeProgram(program, values, used, file)],
  };
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
