import { evaluateOp } from "../../ir/interpret.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";
import type { LayoutView } from "../onnx/import/graph/index.ts";
import type { ImportedModel } from "../onnx/import/index.ts";
import { createFixedStream } from "../tensors/index.ts";
import { isLoraMatrix, type Ownership } from "./decide-ownership.ts";
import { drawInitial, initialWeights } from "./initial-weights.ts";

export interface Surrogate {
  /** The weight store of the module without private values. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Keys of private weights without a public counterpart: they have initial values, as their uses tell. */
  readonly initial: readonly string[];
}

/**
 * Builds the weights for calibration: public weights unchanged, the base's tensors for private ones. An adapter's B is
 * 0, as at the start of training, and A is drawn as PEFT draws it, from a fixed stream: both follow from the shapes
 * alone. A weight that no base has gets the values that it would start training with (initial-weights.ts).
 */
export function createSurrogate(imported: ImportedModel, ownership: Ownership): Surrogate {
  const weights = new Map<string, Tensor>();
  const initial: string[] = [];
  const startOf = initialWeights(imported.module);
  const params = new Map(Object.entries(imported.module.params).map(([id, key]) => [key, id]));
  for (const [key, tensor] of imported.weights) {
    const stored = imported.storedWeights.get(key);
    if (!stored || ownership.labels.get(stored.weight) === "public") {
      weights.set(key, tensor);
      continue;
    }
    const base = ownership.counterparts.get(stored.weight);
    if (base) weights.set(key, applyViews(base.tensor, stored.views));
    else if (isLoraMatrix(stored.weight))
      weights.set(key, initialLoraMatrix(isLoraMatrix(stored.weight, "A"), tensor.shape));
    else {
      initial.push(key);
      weights.set(key, drawInitial(startOf(params.get(key)!), tensor.shape, key));
    }
  }
  return { weights, initial };
}

function applyViews(tensor: Tensor, views: readonly LayoutView[]): Tensor {
  return views.reduce((from, { op, attrs }) => {
    if (op !== "scale") return evaluateOp(op, [from], attrs);
    return { shape: from.shape, data: from.data.map((value) => value * (attrs.by as number)) };
  }, tensor);
}

/** A and B at the start of training. */
export const initialLoraMatrix = (isA: boolean, shape: readonly number[]): Tensor =>
  isA ? kaimingUniform(shape) : zeros(shape);

const zeros = (shape: readonly number[]): Tensor => ({ shape, data: new Float64Array(sizeOf(shape)) });

/**
 * Uniform in ±1/√in, the initial values of A [in, r]; the same each time.
 */
function kaimingUniform(shape: readonly number[]): Tensor {
  const bound = 1 / Math.sqrt(shape[0] ?? 1);
  const next = createFixedStream();
  const data = zeros(shape).data.map(() => bound * (2 * next() - 1));
  return { shape, data };
}
