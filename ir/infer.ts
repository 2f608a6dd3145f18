import { fail } from "./diagnostic.ts";
import { type Attrs, type Module, type Op, typeOf, type Value, type ValueId } from "./module.ts";
import type { OpDef } from "./ops/define.ts";
import { needsProtocol, opDef, resultLabel, withDefaults } from "./registry.ts";
import { type Element, f32, fx, isFixed, type TensorType } from "./type.ts";

/** Fractional bits of the exact result of the operator on raw integers. */
export function exactScale(def: OpDef, scales: readonly number[]): number {
  if (def.exactScale) return def.exactScale(scales);
  const counted = scales.filter((_, index) => !def.selectors?.includes(index));
  return def.linear === "each" ? counted.reduce((sum, scale) => sum + scale, 0) : counted[0]!;
}

export const scaleOf = (element: Element): number => (isFixed(element) ? element.scale : 0);

/** Element that a protocol may have chosen: any ring for a masked operand, the operands' own ring for shares. */
function protocolElement(operands: readonly TensorType[], current?: Element): Element | undefined {
  if (!current || !isFixed(current)) return current;
  const fits = ({ sharing, element }: TensorType): boolean =>
    sharing === "masked" || (isFixed(element) && element.width === current.width);
  return operands.some(fits) ? current : undefined;
}

/** A local operator determines the element of its result. A protocol may choose it, so there the current one stays. */
function resultElement(def: OpDef, operands: readonly TensorType[], attrs: Attrs, current?: Element): Element {
  const elements = operands.map((operand) => operand.element);
  const counted = operands.filter((_, index) => !def.selectors?.includes(index));
  const fixed = counted.filter((operand) => isFixed(operand.element));
  if (fixed.length === 0) {
    if (current && isFixed(current)) return current;
    return def.element ? def.element(elements, attrs) : (counted[0]?.element ?? f32);
  }
  if (def.element) return def.element(elements, attrs, def.anyRing ? current : protocolElement(operands, current));
  const labels = operands.map((operand) => operand.label);
  if (current && (def.linear === "none" || needsProtocol(def, labels))) return current;
  // The ring is that of the shares: a value in the clear has no ring of its own.
  const main = (fixed.find((operand) => operand.label === "shared") ?? fixed[0]!).element;
  return isFixed(main) ? fx(main.width, exactScale(def, elements.map(scaleOf))) : main;
}

/**
 * Type of an operator's result by the op tables. `current` is its type so far, which stays where the tables leave a
 * choice (the element of a protocol's result). Throws a plain Error when the operands do not fit.
 */
export function resultType(
  def: OpDef,
  operands: readonly TensorType[],
  given: Attrs,
  current?: TensorType,
): TensorType {
  const attrs = withDefaults(def, given);
  for (const index of def.indices ?? []) {
    if (operands[index]?.element.kind === "f32") throw new Error(`expected integers as ${def.operands[index]}`);
  }
  const shapes = operands.map((operand) => operand.shape);
  const label = resultLabel(
    def,
    operands.map((operand) => operand.label),
    attrs,
  );
  const sharing = label === "shared" ? (def.sharing ?? current?.sharing) : undefined;
  return {
    label,
    element: resultElement(def, operands, attrs, current?.element),
    shape: def.shape(shapes, attrs),
    ...(sharing && { sharing }),
  };
}

/** Location of an op in diagnostics: its ONNX node and its result. */
export const locationOf = (op: Op): string => (op.origin === "" ? `%${op.result}` : `${op.origin} (%${op.result})`);

/** resultType that reports a misfit as MRL0314. */
export function inferOp(op: Op, operands: readonly TensorType[], current?: TensorType): TensorType {
  const def = opDef(op.name);
  try {
    return resultType(def, operands, op.attrs, current);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "Error") throw error;
    return fail({ code: "MRL0314", message: `${op.name}: ${error.message}`, at: locationOf(op) });
  }
}

/** Recomputes all types from those of the inputs and parameters. Ranges stay. */
export function infer(module: Module): Module {
  const values: Record<ValueId, Value> = {};
  for (const id of [...module.inputs, ...Object.keys(module.params)]) values[id] = module.values[id]!;
  for (const step of module.steps) {
    for (const op of step.ops) {
      const operands = op.operands.map((id) => typeOf({ ...module, values }, id));
      const old = module.values[op.result];
      values[op.result] = { ...old, type: inferOp(op, operands, old?.type) };
    }
  }
  return { ...module, values };
}
