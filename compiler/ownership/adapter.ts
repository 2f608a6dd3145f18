import type { Tensor } from "../../ir/tensor.ts";

/** The two small matrices of one linear layer: y = x·W + (x·A)·B. */
export interface LoraModule {
  /** Path in the base model: `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  /** [in, r] */
  readonly a: Tensor;
  /** [r, out], already times `scale`. */
  readonly b: Tensor;
  readonly rank: number;
  /** alpha / r, or alpha / sqrt(r). */
  readonly scale: number;
}

export interface LoraAdapter {
  readonly folder: string;
  /** Sorted by module path. */
  readonly modules: readonly LoraModule[];
  /** Sorted by name: trained as a whole (modules_to_save, bias). */
  readonly savedWeights: readonly SavedWeight[];
  readonly fanInFanOut: boolean;
  /** Whether the configuration names a linear layer of this path; absent: nothing tells. */
  readonly targetsModule?: (module: string) => boolean;
}

/** A parameter that was trained as a whole, in the place of the base's: [out, in], as the training framework has it. */
export interface SavedWeight {
  /** `classifier.weight`, `model.layers.0.self_attn.q_proj.bias` */
  readonly name: string;
  readonly tensor: Tensor;
  /** PEFT saves it beside the adapter, which did not train it: the model must have the same numbers. */
  readonly kept?: boolean;
}
