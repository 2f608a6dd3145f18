import type { Diagnostic } from "../diagnostic.ts";
import { join } from "../label.ts";
import type { Value, ValueId } from "../module.ts";
import { protocolReason } from "../registry.ts";
import { printElement } from "../text/print.ts";
import { isFixed, minWidth } from "../type.ts";
import { type TypedOp, typedOps, type VerifyContext, type VerifyRule } from "./context.ts";

/** Widest ring that the runtime computes in. */
const maxWidth = 64;

function rings({ module, definition, value }: VerifyContext): readonly Diagnostic[] {
  const ids = [...module.inputs, ...Object.keys(module.params), ...definition.keys()];
  return ids.flatMap((id) => ring(id, value(id)!, definition.get(id)?.origin ?? ""));
}

function ring(id: ValueId, { type, range }: Value, origin: string): readonly Diagnostic[] {
  const at = origin === "" ? `%${id}` : `${origin} (%${id})`;
  const { element, label } = type;
  if (isFixed(element) && !(element.width >= 1 && element.width <= maxWidth)) {
    return [
      { code: "MRL0340", message: `expected a ring of 1 to ${maxWidth} bits, found ${printElement(element)}`, at },
    ];
  }
  if (label !== "shared") return [];
  if (!isFixed(element)) {
    return [{ code: "MRL0340", message: `expected a shared value in fixed point, found ${printElement(element)}`, at }];
  }
  if (!range) return [{ code: "MRL0341", message: "expected a range of the shared value, found none", at }];
  const bits = minWidth(range, element);
  if (bits <= element.width) return [];
  const message = `expected a ring of at least ${bits} bits for [${range.lo}, ${range.hi}], found ${printElement(element)}`;
  return [{ code: "MRL0342", message, at }];
}

function operandsOnShares({ op, def, operands, at }: TypedOp): readonly Diagnostic[] {
  if (join(...operands.map((operand) => operand.label)) !== "shared") return [];
  if (!def.scales) {
    const message = `expected an operator that has a meaning on shared values, found ${op.name}`;
    return [{ code: "MRL0346", message, at, help: "compute it where one party knows the operands" }];
  }
  return op.operands
    .filter((_, index) => !def.selectors?.includes(index) && !isFixed(operands[index]!.element))
    .map((id) => ({
      code: "MRL0344",
      message: `${op.name}: expected %${id} in fixed point, found a plain number`,
      at,
    }));
}

function protocols({ op, def, operands, at }: TypedOp): readonly Diagnostic[] {
  const why = protocolReason(
    def,
    operands.map((operand) => operand.label),
  );
  if (why === undefined || op.protocol !== undefined) return [];
  return [{ code: "MRL0350", message: `expected a protocol for ${op.name}, found none`, at, because: [why] }];
}

export const fixedPoint: readonly VerifyRule[] = [
  { from: "quantize", check: rings },
  { from: "quantize", check: (context) => typedOps(context).flatMap(operandsOnShares) },
  { from: "select", check: (context) => typedOps(context).flatMap(protocols) },
];
