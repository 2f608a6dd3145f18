import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { type OnnxModel, type OnnxTensor, type OnnxValueInfo, readTensor } from "../onnx/format/index.ts";
import { catalogWeights } from "../onnx/weights/index.ts";
import { initialLoraMatrix, isLoraMatrix } from "../ownership/index.ts";
import type { ReplacedWeights } from "./apply-saved-weights.ts";
import type { OnnxAdapter } from "./onnx-adapter.ts";

/**
 * Turns the inputs that an adapter's parameters feed into weights with those values. ONNX Runtime's multi-LoRA models
 * take A and B as inputs, often with empty tensors as defaults. Either each parameter matches an input and each LoRA
 * matrix has a parameter, or nothing is bound. Errors: MRL0430.
 */
export function bindAdapterInputs(
  model: OnnxModel,
  adapter: OnnxAdapter,
  known?: ReadonlySet<string>,
): ReplacedWeights {
  const { graph, file } = model;
  const problems: Diagnostic[] = [];
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
  const initializers = new Map<string, OnnxTensor>(graph.initializers);
  for (const { name, dtype, dims, bytes } of adapter.parameters) {
    const input = inputs.get(name);
    const wrong = input ? mismatchText(input, dtype, dims) : `${file} has no input of this name`;
    if (wrong) {
      const help = "the adapter belongs to another model, or to one whose LoRA layers are not inputs";
      problems.push({ code: "MRL0430", message: wrong, at: `${adapter.file}, parameter "${name}"`, help });
    }
    initializers.set(name, { name, dtype, dims, source: { kind: "inline", bytes } });
  }
  const fed = new Set(adapter.parameters.map(({ name }) => name));
  for (const name of inputs.keys()) {
    if (fed.has(name) || graph.initializers.has(name) || !isLoraMatrix(name)) continue;
    const message = `the input "${name}" is half of a LoRA layer, and the adapter has no parameter for it`;
    problems.push({ code: "MRL0430", message, at: adapter.file, help: "give the complete adapter" });
  }
  throwIfAny(problems);
  const boundModel = { ...model, graph: { ...graph, initializers } };
  const original = new Map<string, Tensor>();
  for (const weight of catalogWeights(boundModel, known).weights.values()) {
    if (fed.has(weight.source.name)) original.set(weight.name, initialValue(model, weight.source));
  }
  return { model: boundModel, original };
}

/**
 * The public value in a parameter's position: the model's default where it has that shape, else a fresh LoRA matrix.
 */
function initialValue(model: OnnxModel, { name, dims }: OnnxTensor): Tensor {
  const own = model.graph.initializers.get(name);
  if (own && sameShape(own.dims, dims)) return readTensor(model, own);
  return initialLoraMatrix(
    isLoraMatrix(name, "A") || (!isLoraMatrix(name, "B") && dims.length === 2 && dims[1]! < dims[0]!),
    dims,
  );
}

function mismatchText({ dtype, dims }: OnnxValueInfo, found: string, shape: readonly number[]): string | undefined {
  if (dtype && dtype !== found) return `the input takes ${dtype}, the parameter is ${found}`;
  const fits =
    !dims || (dims.length === shape.length && dims.every((dim, at) => typeof dim !== "number" || dim === shape[at]));
  if (fits) return undefined;
  return `the input takes [${dims.map((dim) => dim ?? "?").join(", ")}], the parameter is [${shape.join(", ")}]`;
}
