import type { Attrs } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import type { PlainElement, TensorType } from "../../../../ir/type.ts";
import type { ModelWeight } from "../../weights/index.ts";

/** What an ONNX value is during the import. */
export type GraphOperand = ConstantOperand | WeightOperand | ValueOperand;

/**
 * Known values that are not a weight: shapes, axes, masks, tables. Operators on constants alone are evaluated at
 * import.
 */
export interface ConstantOperand {
  readonly kind: "constant";
  readonly tensor: Tensor;
  readonly element: PlainElement;
  /** The ONNX name for the parameter, should the constant remain. */
  readonly name: string;
}

/** A stored weight, or another layout of it. */
export interface WeightOperand {
  readonly kind: "weight";
  readonly weight: ModelWeight;
  /** Layout operators from the stored tensor to this one: the surrogate of the weight takes them too. */
  readonly views: readonly LayoutView[];
  readonly tensor: Tensor;
}
export interface LayoutView {
  readonly op: string;
  readonly attrs: Attrs;
}

/** A value of the module. Its identity is the object: the import context knows its id once its node is complete. */
export interface ValueOperand {
  readonly kind: "value";
  readonly type: TensorType;
}
