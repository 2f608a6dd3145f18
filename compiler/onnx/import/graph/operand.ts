import type { Attrs } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import type { PlainElement, TensorType } from "../../../../ir/type.ts";
import type { ModelWeight } from "../../weights/index.ts";

/** What an ONNX value stands for during the import. */
export type GraphOperand = ConstantOperand | WeightOperand | ValueOperand;

/** Known numbers that are no weight: shapes, axes, masks, tables. Whatever depends on these alone is computed now. */
export interface ConstantOperand {
  readonly kind: "constant";
  readonly tensor: Tensor;
  readonly element: PlainElement;
  /** ONNX name that a parameter is called after, should the constant remain. */
  readonly name: string;
}

/** A stored weight, or another layout of it. */
export interface WeightOperand {
  readonly kind: "weight";
  readonly weight: ModelWeight;
  /** Layout operators that lead from the stored tensor to this one: the surrogate of the weight takes them too. */
  readonly views: readonly LayoutView[];
  readonly tensor: Tensor;
}
export interface LayoutView {
  readonly op: string;
  readonly attrs: Attrs;
}

export interface ValueOperand {
  readonly kind: "value";
  readonly type: TensorType;
  /** Its name in the module; until its node is done, a number of its own. */
  id: string;
}
