import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createNoise } from "../../compiler/accuracy/index.ts";
import { decodeTensorFile, type OnnxModel, type OnnxTensor } from "../../compiler/onnx/format/index.ts";
import type { ImportedModel } from "../../compiler/onnx/import/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import type { Dtype } from "../../compiler/tensors/index.ts";
import { type InterpretOptions, interpret } from "../../ir/interpret.ts";
import { typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { distance } from "./node-result.ts";
import { tensorValues } from "./node-test.ts";

/** A model with one set of inputs, and the outputs of the framework that it comes from. */
export interface RecordedModel {
  readonly file: string;
  /** Folder of the recorded tensors. */
  readonly data: string;
  readonly model: OnnxModel;
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Integer inputs that are fixed to a constant; default: none. */
  readonly fixedInputs: ReadonlyMap<string, number>;
}

/** Reads a folder in the layout of the ONNX project's test data. */
export function readRecordedModel(folder: string, fixed: RecordedModel["fixedInputs"] = new Map()): RecordedModel {
  const file = join(folder, "model.onnx");
  const data = join(folder, "test_data_set_0");
  const read = (kind: "input" | "output"): ReadonlyMap<string, Tensor> => {
    const tensors = dataFiles(data, kind).map((each): OnnxTensor => decodeTensorFile(readFileSync(each), each));
    return new Map(tensors.map((tensor) => [tensor.name, tensorValues(tensor)]));
  };
  return { file, data, model: readModel(file), inputs: read("input"), outputs: read("output"), fixedInputs: fixed };
}

export const dataFiles = (data: string, kind: "input" | "output"): readonly string[] =>
  readdirSync(data)
    .filter((name) => name.startsWith(`${kind}_`) && name.endsWith(".pb"))
    .map((name) => join(data, name));

/** The sizes of symbolic dimensions in the recorded inputs. Formulas of symbols follow from their parts. */
export function dimsOf({ model, inputs }: RecordedModel): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { name, dims } of model.graph.inputs) {
    const shape = inputs.get(name)?.shape;
    for (const [axis, dim] of (shape && dims ? dims : []).entries()) {
      if (dim === undefined) found.set(`${name}.${axis}`, shape![axis]!);
      else if (typeof dim === "string" && !/[+*-]/.test(dim)) found.set(dim, shape![axis]!);
    }
  }
  return found;
}

/** Outputs by their ONNX names, from inputs by their ONNX names. */
export function evaluateRecorded(
  imported: ImportedModel,
  inputs: ReadonlyMap<string, Tensor>,
  options: InterpretOptions = {},
): ReadonlyMap<string, Tensor> {
  const byId = new Map<ValueId, Tensor>([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!]));
  const found = interpret(imported.module, imported.weights, byId, options);
  return new Map([...imported.outputs].map(([name, id]) => [name, found.get(id)!]));
}

/** Random trials, and the factor on the worst of them, as in the bound of a program's error. */
const trials = 6;
const deviations = 3;
/** Half a unit in the last place, relative to the value, by the type that a model stores its weights in. */
const halfUnits: Readonly<Partial<Record<Dtype, number>>> = { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 2 ** -24 };

/** Of the coarsest type that weights are stored in: the reference rounds intermediate values to it. */
function halfUlpOf({ graph }: OnnxModel): number {
  const units = [...graph.initializers.values()].map(({ dtype }) => halfUnits[dtype] ?? 0);
  return Math.max(halfUnits.float32!, ...units);
}

/**
 * Error of each output of the reference, to first order. Each trial moves every real value at random by the rounding of
 * the model's precision; the bound is three times an output's largest change over the trials.
 */
export function referencePrecision(
  imported: ImportedModel,
  { model, inputs }: Pick<RecordedModel, "model" | "inputs">,
): ReadonlyMap<string, number> {
  const halfUnit = halfUlpOf(model);
  const exact = evaluateRecorded(imported, inputs);
  const next = createNoise();
  const worst = new Map<string, number>();
  for (let trial = 0; trial < trials; trial++) {
    const moved = evaluateRecorded(imported, inputs, {
      adjust: (id, raw) => {
        if (typeOf(imported.module, id).element.kind !== "f32") return raw;
        // Integers are exact: 1 − 1 is 0 in every precision, also where it is multiplied by −3.4e38.
        const moved = (x: number): number => (Number.isInteger(x) ? x : x * (1 + halfUnit * next()));
        return { shape: raw.shape, data: raw.data.map(moved) };
      },
    });
    for (const [name, value] of moved) {
      worst.set(name, Math.max(worst.get(name) ?? 0, distance(value, exact.get(name)!)));
    }
  }
  return new Map([...worst].map(([name, most]) => [name, deviations * most]));
}
