import { evaluateOp } from "../../../../ir/interpret.ts";
import type { Attrs } from "../../../../ir/module.ts";
import { isFixed, type PlainElement, sameShape, type TensorType } from "../../../../ir/type.ts";
import { type FoldMeter, maxViews } from "./fold-limits.ts";
import type { GraphOperand } from "./operand.ts";

/** One operator on operands, with its attributes complete and its types inferred. */
export interface EmittedOp {
  readonly op: string;
  readonly operands: readonly GraphOperand[];
  readonly attrs: Attrs;
  /** Types of the operands. */
  readonly types: readonly TensorType[];
  /** Type of the result. */
  readonly type: TensorType;
}

/** Operators that only move elements: a weight stays one weight under them. */
const layoutOps: ReadonlySet<string> = new Set(["transpose", "reshape", "cast"]);

/** The result of an operator that needs no place in the program; undefined for any other. */
export const foldOp = (emitted: EmittedOp, meter: FoldMeter): GraphOperand | undefined =>
  isNoOp(emitted) ? emitted.operands[0]! : (foldConstant(emitted, meter) ?? foldView(emitted, meter));

/** Whether an operator changes nothing here. */
function isNoOp({ op, operands, types: [from], type, attrs }: EmittedOp): boolean {
  if (!from || !sameShape(from.shape, type.shape) || from.element.kind !== type.element.kind) return false;
  if (op === "cast" || op === "reshape" || op === "expand") return true;
  if (op === "concat") return operands.length === 1;
  if (op === "transpose") return (attrs.perm as readonly number[]).every((axis, index) => axis === index);
  return op === "slice" && (attrs.steps as readonly number[]).every((step) => step === 1);
}

/** The result of an operator on constants alone. */
function foldConstant({ op, operands, attrs, types, type }: EmittedOp, meter: FoldMeter): GraphOperand | undefined {
  if (!operands.every((operand) => operand.kind === "constant")) return undefined;
  const element = type.element as PlainElement;
  meter(
    op,
    types.map(({ shape }) => shape),
    type.shape,
    attrs,
  );
  const tensors = operands.map((operand) => operand.tensor);
  const tensor = evaluateOp(op, tensors, attrs, element);
  return { kind: "constant", tensor, element, name: operands[0]?.name ?? op };
}

/** The weight in another layout, for a layout operator on a weight. */
function foldView({ op, operands, attrs, types, type }: EmittedOp, meter: FoldMeter): GraphOperand | undefined {
  const [first] = operands;
  if (operands.length !== 1 || first!.kind !== "weight" || !layoutOps.has(op)) return undefined;
  if (isFixed(type.element) || type.element.kind !== "f32") return undefined;
  if (first!.views.length === maxViews) throw new Error(`expected at most ${maxViews} layouts of one weight`);
  meter(
    op,
    types.map(({ shape }) => shape),
    type.shape,
    attrs,
  );
  const tensor = evaluateOp(op, [first!.tensor], attrs, type.element);
  return { ...first!, tensor, views: [...first!.views, { op, attrs }] };
}
