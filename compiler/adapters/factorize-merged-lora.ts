import { basename } from "node:path";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { OnnxModel, OnnxTensor } from "../onnx/format/index.ts";
import { catalogWeights, type ModelWeight } from "../onnx/weights/index.ts";
import type { BaseModel, LoraAdapter, LoraModule } from "../ownership/index.ts";
import { countDifferences, matchesWeightName } from "../ownership/index.ts";
import { encodeWeight, transpose } from "../tensors/index.ts";
import { factorizeLowRank } from "./factorize-low-rank.ts";

/** What the user says of a model with adapters merged into it. Both are public. */
export interface LowRankOptions {
  readonly rank: number;
  /** Largest part of a change, by its Frobenius norm, that A·B may leave out. */
  readonly tolerance: number;
}

export interface FactorizedLora {
  /** The model with the base's numbers in the matrices that had changed. */
  readonly model: OnnxModel;
  readonly adapter: LoraAdapter;
}

/**
 * Takes merged adapters out of a model again: of every matrix of a linear layer that differs from the base's, the change
 * must be a product A·B of the given rank. What patterns declare private stays whole, and so does all that is no such
 * matrix. The provider does this alone; what others see is the rank, and which layers have an adapter.
 */
export function factorizeMergedLora(
  model: OnnxModel,
  base: BaseModel,
  { rank, tolerance }: LowRankOptions,
  keepWhole: readonly string[] = [],
): FactorizedLora {
  const { weights, names } = catalogWeights(model, base.names);
  const problems: Diagnostic[] = [];
  const modules: LoraModule[] = [];
  const initializers = new Map<string, OnnxTensor>(model.graph.initializers);
  for (const weight of weights.values()) {
    const { name, source } = weight;
    const baseMatrix = base.counterpart(weight)?.tensor;
    const [linear, ...more] = names.linears.filter((each) => each.weight === source.name);
    if (!baseMatrix || !linear || keepWhole.some((pattern) => matchesWeightName(weight, pattern))) continue;
    if (countDifferences(weight.tensor(), baseMatrix, source.dtype) === 0) continue;
    const at = `${model.file}, weight "${name}"`;
    const complain = (message: string, help: string) => problems.push({ code: "MRL0428", message, at, help });
    if (more.length > 0 || !linear.module) {
      complain(
        "it differs from the base, and it is not the matrix of one named layer",
        `--private ${name} keeps it whole`,
      );
      continue;
    }
    const found = factorizeLowRank(weightDelta(weight, baseMatrix, linear.outFirst), rank);
    if (!(found.residual <= tolerance)) {
      const residual = found.residual.toExponential(1);
      complain(
        `its change is not of rank ${rank}: ${residual} of it is left over, and ${tolerance} was allowed`,
        `give another rank or tolerance (--low-rank), or --private ${name} to keep it whole`,
      );
      continue;
    }
    modules.push({ module: linear.module, a: found.a, b: found.b, rank, scale: 1 });
    const bytes = encodeWeight(source.dtype, baseMatrix);
    initializers.set(source.name, { ...source, source: { kind: "inline", bytes } });
  }
  throwIfAny(problems);
  if (modules.length === 0) {
    fail({
      code: "MRL0428",
      message: `no matrix of a linear layer differs from ${base.path}`,
      at: model.file,
      help: "leave out --low-rank: the base diff finds what else is private",
    });
  }
  const graph = { ...model.graph, initializers };
  const folder = `merged into ${basename(model.file)}`;
  return { model: { ...model, graph }, adapter: { folder, modules, savedWeights: [], fanInFanOut: false } };
}

/** [in, out], whichever way the file has the matrix. */
function weightDelta({ tensor }: ModelWeight, start: Tensor, outFirst: boolean): Tensor {
  const { shape, data } = tensor();
  const change = data.map((value, at) => value - start.data[at]!);
  return outFirst ? transpose({ shape, data: change }) : { shape, data: change };
}
