import { basename } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { OnnxModel, OnnxTensor } from "../onnx/format/index.ts";
import { catalogWeights, type ModelWeight } from "../onnx/weights/index.ts";
import {
  type BaseModel,
  countDifferences,
  type LoraAdapter,
  type LoraModule,
  matchesWeightName,
} from "../ownership/index.ts";
import { encodeWeight, transpose } from "../tensors/index.ts";
import { factorizeLowRank } from "./factorize-low-rank.ts";

/** User options for a model with merged adapters. Both are public. */
export interface MergedLoraOptions {
  readonly rank: number;
  /** Largest residual of A·B, relative to the Frobenius norm of a change. */
  readonly tolerance: number;
}

export interface FactorizedLora {
  /** The model, with the base's values in the matrices that had changed. */
  readonly model: OnnxModel;
  readonly adapter: LoraAdapter;
}

/**
 * Extracts merged adapters from a model: the change of every linear layer's matrix that differs from the base must be a
 * product A·B of the given rank. Weights that patterns declare private stay whole, and so does everything that is not
 * such a matrix. The provider runs this alone; others see the rank, and which layers have an adapter. Errors: MRL0428.
 */
export function factorizeMergedLora(
  model: OnnxModel,
  base: BaseModel,
  { rank, tolerance }: MergedLoraOptions,
  keepWhole: readonly string[] = [],
): FactorizedLora {
  const { weights, names } = catalogWeights(model, base.names);
  const problems: { readonly name: string; readonly message: string; readonly instead: string }[] = [];
  const modules: LoraModule[] = [];
  const initializers = new Map<string, OnnxTensor>(model.graph.initializers);
  for (const weight of weights.values()) {
    const { name, source } = weight;
    const baseMatrix = base.counterpart(weight)?.tensor;
    const [linear, ...more] = names.linears.filter((each) => each.weight === source.name);
    if (!baseMatrix || !linear || keepWhole.some((pattern) => matchesWeightName(weight, pattern))) continue;
    if (countDifferences(weight.tensor(), baseMatrix, source.dtype) === 0) continue;
    if (more.length > 0 || !linear.module) {
      const message = "it differs from the base, and it is not the matrix of exactly one named layer";
      problems.push({ name, message, instead: "" });
      continue;
    }
    const found = factorizeLowRank(weightDelta(weight, baseMatrix, linear.outFirst), rank);
    if (!(found.residual <= tolerance)) {
      const residual = found.residual.toExponential(1);
      const message = `expected a change of rank ${rank}: its relative residual is ${residual}, above the tolerance ${tolerance}`;
      problems.push({ name, message, instead: "give another rank or tolerance (--merged-lora), or " });
      continue;
    }
    modules.push({ module: linear.module, a: found.a, b: found.b, rank, scale: 1 });
    const bytes = encodeWeight(source.dtype, baseMatrix);
    initializers.set(source.name, { ...source, source: { kind: "inline", bytes } });
  }
  // Where no adapter remains, --merged-lora has nothing to extract.
  const whole = (name: string): string =>
    modules.length > 0
      ? `--private ${name} keeps it whole`
      : "leave out --merged-lora: the whole matrix is then private";
  throwIfAny(
    problems.map(({ name, message, instead }): Diagnostic => {
      const at = `${model.file}, weight "${name}"`;
      return { code: "MRL0428", message, at, help: `${instead}${whole(name)}` };
    }),
  );
  if (modules.length === 0) {
    fail({
      code: "MRL0428",
      message: `no matrix of a linear layer${keepWhole.length > 0 ? " that --private does not name" : ""} differs from ${base.path}`,
      at: model.file,
      help: "leave out --merged-lora: comparing with the base finds the other private weights",
    });
  }
  const graph = { ...model.graph, initializers };
  const folder = `merged into ${basename(model.file)}`;
  return { model: { ...model, graph }, adapter: { folder, modules, savedWeights: [], fanInFanOut: false } };
}

/** The change as [in, out], in whichever orientation the file stores the matrix. */
function weightDelta({ tensor }: ModelWeight, start: Tensor, outFirst: boolean): Tensor {
  const { shape, data } = tensor();
  const change = data.map((value, at) => value - start.data[at]!);
  return outFirst ? transpose({ shape, data: change }) : { shape, data: change };
}
