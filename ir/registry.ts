import { fail } from "./diagnostic.ts";
import { join, type Label } from "./label.ts";
import type { Attrs } from "./module.ts";
import type { OpDef } from "./ops/define.ts";
import * as operators from "./ops/index.ts";
import type { Interval, Shape } from "./type.ts";

/** Every operator by name. */
export const registry: ReadonlyMap<string, OpDef> = new Map(Object.values(operators).map((def) => [def.name, def]));

/** Throws MRL0300 for an unknown name. */
export function opDef(name: string): OpDef {
  const def = registry.get(name);
  if (def) return def;
  return fail({
    code: "MRL0300",
    message: `expected an operator of ir/ops, found ${name}`,
    help: `operators: ${[...registry.keys()].join(", ")}`,
  });
}

/** Adds the defaults of the attributes that are not given. */
export function withDefaults(def: OpDef, attrs: Attrs): Attrs {
  const missing = Object.entries(def.attrs).filter(
    ([name, { default: value }]) => value !== undefined && !(name in attrs),
  );
  if (missing.length === 0) return attrs;
  return { ...attrs, ...Object.fromEntries(missing.map(([name, attr]) => [name, attr.default!])) };
}

/** Minimum and maximum number of operands. */
export function arityOf(def: OpDef): { readonly least: number; readonly most: number } {
  const least = def.operands.filter((operand) => !operand.endsWith("?")).length;
  return { least, most: def.operands.some((operand) => operand.endsWith("…")) ? Infinity : def.operands.length };
}

/** Label of the result: who knows it. */
export function resultLabel(def: OpDef, labels: readonly Label[], attrs: Attrs): Label {
  return def.label ? def.label(labels, attrs) : join(...labels);
}

/** Interval of the result; unbounded where the tables' arithmetic on infinities gives NaN. */
export function resultRange(
  def: OpDef,
  operands: readonly Interval[],
  attrs: Attrs,
  shapes: readonly Shape[],
): Interval {
  const { lo, hi } = def.range(operands, withDefaults(def, attrs), shapes);
  return { lo: Number.isNaN(lo) ? -Infinity : lo, hi: Number.isNaN(hi) ? Infinity : hi };
}

/** Why the parties cannot compute this operator locally; undefined when they can. */
export function protocolReason(def: OpDef, labels: readonly Label[]): string | undefined {
  if (join(...labels) !== "shared") return undefined;
  if (def.linear === "none") return `${def.name} is not linear`;
  if (def.selectors?.some((index) => labels[index] !== "public"))
    return `its ${def.operands[def.selectors[0]!]} is not public`;
  const secrets = labels.filter((label) => label !== "public").length;
  return def.linear === "each" && secrets > 1 ? `${secrets} operands are not public` : undefined;
}

/** Whether 5-select must choose a protocol for the operator on operands with these labels. */
export function needsProtocol(def: OpDef, labels: readonly Label[]): boolean {
  return protocolReason(def, labels) !== undefined;
}
