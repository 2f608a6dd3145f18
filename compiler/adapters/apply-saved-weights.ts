import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import type { OnnxModel, OnnxTensor } from "../onnx/format/index.ts";
import { catalogWeights, type ModelWeight } from "../onnx/weights/index.ts";
import { countDifferences, type LoraAdapter } from "../ownership/index.ts";
import { encodeWeight, transpose } from "../tensors/index.ts";

export interface ReplacedWeights {
  readonly model: OnnxModel;
  /** The replaced weights of the model, by weight name: public, as the model is. */
  readonly original: ReadonlyMap<string, Tensor>;
}

/**
 * Replaces weights of the model with those that an adapter trained fully (heads, biases). A weight that equals the
 * model's stays. Either every weight matches, or none is applied. Errors: MRL0429.
 */
export function applySavedWeights(
  model: OnnxModel,
  adapter: LoraAdapter,
  known?: ReadonlySet<string>,
): ReplacedWeights {
  const original = new Map<string, Tensor>();
  if (adapter.savedWeights.length === 0) return { model, original };
  const all = [...catalogWeights(model, known).weights.values()];
  const problems: Diagnostic[] = [];
  const initializers = new Map<string, OnnxTensor>(model.graph.initializers);
  for (const { name, tensor, kept } of adapter.savedWeights) {
    const complain = (message: string, help: string) =>
      problems.push({ code: "MRL0429", message, at: `${adapter.folder}, weight "${name}"`, help });
    const [weight, ...more] = matchingWeights(all, name);
    if (kept) {
      if (weight && isUnchanged(weight, tensor)) continue;
      const found = weight
        ? `other values than ${weight.name} of ${model.file}`
        : `no weight of that name in ${model.file}`;
      complain(`it was saved beside the adapter, but has ${found}`, "export the model that the adapter was trained on");
      continue;
    }
    const uses = model.graph.nodes.filter(({ inputs }) => inputs.includes(weight?.source.name ?? "")).length;
    if (weight && more.length === 0 && uses > 1 && !isUnchanged(weight, tensor)) {
      complain(`${model.file} uses this weight ${uses} times`, "a tied weight cannot be replaced for one use only");
      continue;
    }
    if (!weight || more.length > 0 || !initializers.has(weight.source.name)) {
      const count = weight ? `${more.length + 1} weights` : "no weight";
      complain(`${count} of ${model.file} has this name`, "a tied weight cannot be replaced for one use only");
      continue;
    }
    const { source, recovered } = weight;
    const turned = recovered?.transposed && tensor.shape.length === 2 ? transpose(tensor) : tensor;
    if (!sameShape(turned.shape, source.dims)) {
      const shapes = `expected [${source.dims.join(", ")}], found [${turned.shape.join(", ")}]`;
      complain(shapes, "the adapter belongs to another base model, or to one with another number of classes");
      continue;
    }
    const own = weight.tensor();
    if (countDifferences(own, turned, source.dtype) === 0) continue;
    original.set(weight.name, own);
    const bytes = encodeWeight(source.dtype, turned);
    initializers.set(source.name, { ...source, source: { kind: "inline", bytes } });
  }
  throwIfAny(problems);
  return { model: { ...model, graph: { ...model.graph, initializers } }, original };
}

/** Whether the values equal the model's, in its format. */
function isUnchanged({ source, recovered, tensor }: ModelWeight, saved: Tensor): boolean {
  const turned = recovered?.transposed && saved.shape.length === 2 ? transpose(saved) : saved;
  return sameShape(turned.shape, source.dims) && countDifferences(tensor(), turned, source.dtype) === 0;
}

/** The weight of the same name, or the only one that differs by a leading part; a tied weight has several entries. */
function matchingWeights(weights: readonly ModelWeight[], name: string): readonly ModelWeight[] {
  const plain = (weight: ModelWeight): string => weight.name.replace(/\.tied\d*$/, "");
  const exact = weights.filter((weight) => plain(weight) === name);
  if (exact.length > 0) return exact;
  return weights.filter((weight) => plain(weight).endsWith(`.${name}`) || name.endsWith(`.${plain(weight)}`));
}
