import { interpret } from "../../ir/interpret.ts";
import { typeOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { writtenDtypeOf } from "../decode/index.ts";
import type { LoadedModel } from "../load/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import type { Sample } from "./calibration-samples.ts";

/** One calibration sample, and what the model answers in float64. */
export interface ReferenceRun {
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  /** By the name of the model's output. */
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** The model with its private weights on the first samples, in float64: what a secure run is compared with. */
export function referenceRuns(
  { imported }: LoadedModel,
  samples: readonly Sample[],
  limit: number,
): readonly ReferenceRun[] {
  const { module, weights, sources } = imported;
  return samples.slice(0, limit).map((sample) => {
    const results = interpret(module, weights, sample);
    const inputs = [...imported.inputs].flatMap(([name, id]) => {
      const tensor = sample.get(id);
      return tensor ? [[name, { dtype: writtenDtypeOf(typeOf(module, id)), tensor }] as const] : [];
    });
    const outputs = module.outputs.map((id) => [sources.get(id) ?? id, results.get(id)!] as const);
    return { inputs: new Map(inputs), outputs: new Map(outputs) };
  });
}
