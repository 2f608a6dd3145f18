import type { Tensor } from "../../ir/tensor.ts";

/** The two low-rank matrices of one linear layer: y = x·W + (x·A)·B. */
export interface LoraModule {
  /** Path in the base model: `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  /** [in, r] */
  readonly a: Tensor;
  /** [r, out], already multiplied by `scale`. */
  readonly b: Tensor;
  readonly rank: number;
  /** alpha / r, or alpha / sqrt(r). */
  readonly scale: number;
}

export interface LoraAdapter {
  readonly folder: string;
  /** Sorted by module path. */
  readonly modules: readonly LoraModule[];
  /** Sorted by name: fully trained weights (modules_to_save, bias). */
  readonly savedWeights: readonly SavedWeight[];
  readonly fanInFanOut: boolean;
  /** Whether the configuration targets a linear layer of this path; absent: unknown. */
  readonly targetsModule?: (module: string) => boolean;
}

/** A fully trained parameter that replaces the base's: [out, in], as in the training framework. */
export interface SavedWeight {
  /** `classifier.weight`, `model.layers.0.self_attn.q_proj.bias` */
  readonly name: string;
  readonly tensor: Tensor;
  /** PEFT saved it beside the adapter without training it: the model must have the same values. */
  readonly kept?: boolean;
}
