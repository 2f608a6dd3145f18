import { type Builder, createBuilder } from "../../../../ir/builder.ts";
import { resultType } from "../../../../ir/infer.ts";
import type { Label } from "../../../../ir/label.ts";
import type { Attrs, ValueId } from "../../../../ir/module.ts";
import { wrapIndex } from "../../../../ir/ops/helpers/indices.ts";
import { axisOf } from "../../../../ir/ops/helpers/shapes.ts";
import { opDef, withDefaults } from "../../../../ir/registry.ts";
import type { TensorType } from "../../../../ir/type.ts";
import { type EmittedOp, foldOp } from "./fold.ts";
import { checkArity, checkShape, type FoldMeter } from "./fold-limits.ts";
import { createOpQueue, type OpQueue } from "./op-queue.ts";
import type { GraphOperand } from "./operand.ts";
import { createParamStore, type ParamStore } from "./param-store.ts";

/** The module under construction, and the store of what its parameters name. */
export interface ImportContext
  extends Pick<ParamStore, "weights" | "storedWeights">,
    Pick<OpQueue, "input" | "flush" | "discard" | "idOf"> {
  readonly builder: Builder;
  /** The ONNX tensor of a value, where it is one. */
  readonly sources: Map<ValueId, string>;
  readonly meter: FoldMeter;
  /** Applies an operator: evaluates it now where its operands allow that, else queues it for the module. */
  readonly emit: (op: string, operands: readonly GraphOperand[], attrs?: Attrs) => GraphOperand;
  /** Runs `build` without recording ONNX sources: values of a graph inside a node cannot be cut out of the file. */
  readonly withoutSources: <T>(build: () => T) => T;
}

export function createImportContext(name: string, labelOf: (weight: string) => Label, meter: FoldMeter): ImportContext {
  const builder = createBuilder(name, "import");
  const sources = new Map<ValueId, string>();
  let depth = 0;
  const typeOf = (operand: GraphOperand): TensorType => operandType(operand, labelOf);
  const { idOf: paramOf, ...stored } = createParamStore(builder, (id, tensor) => void sources.set(id, tensor));
  const { push, ...queue } = createOpQueue(
    builder,
    (operand) => paramOf(operand, typeOf(operand)),
    (id, tensor) => {
      if (depth === 0 && !sources.has(id)) sources.set(id, tensor);
    },
  );
  return {
    ...stored,
    ...queue,
    builder,
    sources,
    meter,
    emit: (op, operands, attrs = {}) => {
      const emitted = inferEmitted(op, operands, operands.map(typeOf), attrs);
      return foldOp(emitted, meter) ?? push(emitted);
    },
    withoutSources: (build) => {
      depth++;
      try {
        return build();
      } finally {
        depth--;
      }
    },
  };
}

function operandType(operand: GraphOperand, labelOf: (weight: string) => Label): TensorType {
  if (operand.kind === "value") return operand.type;
  if (operand.kind === "constant") return { label: "public", element: operand.element, shape: operand.tensor.shape };
  return { label: labelOf(operand.weight.name), element: { kind: "f32" }, shape: operand.tensor.shape };
}

/** Completes the attributes and infers the result type. Throws a plain Error where operands do not fit the operator. */
function inferEmitted(
  op: string,
  operands: readonly GraphOperand[],
  types: readonly TensorType[],
  given: Attrs,
): EmittedOp {
  const def = opDef(op);
  const attrs = withDefaults(def, given);
  checkArity(def, operands.length);
  const type = resultType(def, types, attrs);
  checkShape(type.shape);
  checkIndices(op, operands, attrs);
  return { op, operands, attrs, types, type };
}

/** Known indices must be valid: nothing checks them again before the program runs. */
function checkIndices(op: string, [data, indices]: readonly GraphOperand[], attrs: Attrs): void {
  if (op !== "gather" || data === undefined || indices?.kind !== "constant") return;
  const shape = data.kind === "value" ? data.type.shape : data.tensor.shape;
  const size = shape[axisOf(Number(attrs.axis), shape.length)]!;
  for (const index of indices.tensor.data) wrapIndex(index, size);
}
