import type { Diagnostic } from "../diagnostic.ts";
import { locationOf } from "../infer.ts";
import type { Attr, Op, ValueId } from "../module.ts";
import { namePattern } from "../names.ts";
import type { AttrKind, OpDef } from "../ops/define.ts";
import { arityOf, registry } from "../registry.ts";
import type { VerifyContext, VerifyRule } from "./context.ts";

const every = (value: Attr, kind: "number" | "string"): boolean =>
  Array.isArray(value) && (value as readonly unknown[]).every((item) => typeof item === kind);

const kinds: Readonly<Record<AttrKind, (value: Attr) => boolean>> = {
  int: (value) => Number.isSafeInteger(value),
  float: (value) => typeof value === "number",
  bool: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  ints: (value) => every(value, "number") && (value as readonly number[]).every(Number.isSafeInteger),
  floats: (value) => every(value, "number"),
  strings: (value) => every(value, "string"),
};

/** Every name is defined once, before it is used; the walk follows the program. */
function definitions({ module, value }: VerifyContext): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const seen = new Set<ValueId>();
  const define = (id: ValueId, at: string): void => {
    if (seen.has(id)) found.push({ code: "MRL0310", message: `expected one definition of %${id}, found another`, at });
    seen.add(id);
    const type = value(id)?.type;
    if (!type) found.push({ code: "MRL0317", message: `expected a type for %${id}, found none`, at });
    else if (!type.shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      found.push({
        code: "MRL0317",
        message: `expected sizes that are integers of at least 0, found [${type.shape.join(", ")}]`,
        at,
      });
    }
    if (!namePattern.test(id)) {
      found.push({
        code: "MRL0319",
        message: `expected a name of letters, digits, _ and ., found ${JSON.stringify(id)}`,
        at,
      });
    }
  };
  for (const id of module.inputs) define(id, `input %${id}`);
  for (const id of Object.keys(module.params)) define(id, `param %${id}`);
  for (const step of module.steps) {
    for (const op of step.ops)
      found.push(...op.operands.filter((id) => !seen.has(id)).map((id) => undefinedUse(op, id)));
    for (const op of step.ops) define(op.result, locationOf(op));
  }
  for (const id of module.outputs) {
    if (!seen.has(id))
      found.push({ code: "MRL0311", message: `expected a defined value, found %${id}`, at: `output %${id}` });
  }
  if (module.outputs.length === 0) {
    found.push({ code: "MRL0317", message: "expected at least one output, found none", at: `module ${module.name}` });
  }
  return found;
}

/** A param takes at most as many rows as its weight has along the axis. */
function checkPositionRows({ module, value }: VerifyContext): readonly Diagnostic[] {
  return Object.entries(module.params).flatMap(([id, weight]) => {
    const positionRows = module.positionRows?.[weight];
    if (!positionRows) return [];
    const { axis, rows } = positionRows;
    const counts = Number.isSafeInteger(axis) && axis >= 0 && Number.isSafeInteger(rows) && rows > 0;
    const taken = value(id)?.type.shape[axis] ?? 0;
    if (counts && taken >= 1 && taken <= rows) return [];
    const message = `expected 1 to ${rows} rows along axis ${axis} of the weight, found shape [${value(id)?.type.shape.join(", ")}]`;
    return [{ code: "MRL0317", message, at: `param %${id}` }];
  });
}

const undefinedUse = (op: Op, id: ValueId): Diagnostic => ({
  code: "MRL0311",
  message: `expected a value that is defined before, found %${id}`,
  at: locationOf(op),
  help: "ops of one step run together: none may use another's result",
});

function operators({ ops, module }: VerifyContext): readonly Diagnostic[] {
  const empty = module.steps.filter((step) => step.ops.length === 0);
  const found: Diagnostic[] = empty.map(() => ({
    code: "MRL0318",
    message: "expected a step of at least one op, found an empty one",
    at: `module ${module.name}`,
  }));
  for (const op of ops) {
    const at = locationOf(op);
    const def = registry.get(op.name);
    if (!def) found.push({ code: "MRL0300", message: `expected an operator of ir/ops, found ${op.name}`, at });
    else found.push(...operandCount(op, def, at), ...attributes(op, def, at));
  }
  return found;
}

function operandCount(op: Op, def: OpDef, at: string): readonly Diagnostic[] {
  const { least, most } = arityOf(def);
  if (op.operands.length >= least && op.operands.length <= most) return [];
  const expected = `${op.name} ${def.operands.join(", ")}`;
  return [{ code: "MRL0312", message: `expected ${expected}, found ${op.operands.length} operands`, at }];
}

function attributes(op: Op, def: OpDef, at: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [name, { kind, default: value }] of Object.entries(def.attrs)) {
    const given = Object.hasOwn(op.attrs, name) ? op.attrs[name] : value;
    if (given === undefined)
      found.push({ code: "MRL0313", message: `expected attribute ${name} (${kind}), found none`, at });
    else if (!kinds[kind](given)) {
      const message = `expected attribute ${name} to be ${kind}, found ${JSON.stringify(given)}`;
      found.push({ code: "MRL0313", message, at });
    }
  }
  for (const name of Object.keys(op.attrs)) {
    if (Object.hasOwn(def.attrs, name)) continue;
    const known = Object.keys(def.attrs).join(", ") || "none";
    found.push({ code: "MRL0313", message: `expected an attribute of ${op.name} (${known}), found ${name}`, at });
  }
  return found;
}

export const structureRules: readonly VerifyRule[] = [
  { from: "import", check: definitions },
  { from: "import", check: checkPositionRows },
  { from: "import", check: operators },
];
