import { createHash } from "node:crypto";
import type { Builder } from "../../../../ir/builder.ts";
import type { ValueId } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import type { TensorType } from "../../../../ir/type.ts";
import { createUnusedNames } from "../../format/index.ts";
import { displayName } from "./display-name.ts";
import type { ConstantOperand, LayoutView, WeightOperand } from "./operand.ts";

/** The origin of a stored tensor: a weight, by name, and the layout operators applied to it since. */
export interface StoredWeight {
  readonly weight: string;
  readonly views: readonly LayoutView[];
}

/** The parameters of a module, and the tensors that they name. */
export interface ParamStore {
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly storedWeights: ReadonlyMap<string, StoredWeight>;
  /** Id of the operand's parameter. Equal constants are one parameter, and so is each layout of a weight. */
  readonly idOf: (operand: ConstantOperand | WeightOperand, type: TensorType) => ValueId;
}

/**
 * Key prefix of constants in the weight store. It holds a character that no module path has, so no weight's name begins
 * with it.
 */
export const constantPrefix = "constant:";

/** `setSource` receives the ONNX tensor of each new parameter. */
export function createParamStore(builder: Builder, setSource: (id: ValueId, tensor: string) => void): ParamStore {
  const weights = new Map<string, Tensor>();
  const storedWeights = new Map<string, StoredWeight>();
  const params = new Map<string, ValueId>();
  const unused = createUnusedNames((key) => weights.has(key));

  const storeConstant = (operand: ConstantOperand, type: TensorType): ValueId => {
    const content = digest(operand);
    const known = params.get(content);
    if (known !== undefined) return known;
    const base = `${constantPrefix}${displayName(operand.name)}`;
    const key = unused(base, (n) => `${base}_${n}`);
    weights.set(key, operand.tensor);
    const id = builder.param(key.slice(constantPrefix.length), type, key);
    params.set(content, id);
    setSource(id, operand.name);
    return id;
  };
  const storeWeight = ({ weight, views, tensor }: WeightOperand, type: TensorType): ValueId => {
    const layout = `weight ${weight.name} ${JSON.stringify(views)}`;
    const known = params.get(layout);
    if (known !== undefined) return known;
    // One weight in several layouts, as tied embeddings are: each layout is stored.
    const key = unused(weight.name, (n) => `${weight.name}:${n}`);
    weights.set(key, tensor);
    storedWeights.set(key, { weight: weight.name, views });
    const id = builder.param(displayName(weight.name), type, key);
    params.set(layout, id);
    setSource(id, weight.source.name);
    return id;
  };
  return {
    weights,
    storedWeights,
    idOf: (operand, type) => (operand.kind === "constant" ? storeConstant(operand, type) : storeWeight(operand, type)),
  };
}

function digest({ tensor, element }: ConstantOperand): string {
  const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  return `${element.kind} [${tensor.shape.join()}] ${createHash("sha256").update(bytes).digest("hex")}`;
}
