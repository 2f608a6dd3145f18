import type { Module } from "../../../../ir/module.ts";
import { applyRewrites } from "../../../../ir/rewrite.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { activationFusions } from "./activations.ts";
import { arithmeticFusions } from "./arithmetic.ts";
import { attentionFusions } from "./attention.ts";
import { mergeCommonSubexpressions } from "./common-subexpressions.ts";
import { type FoldedModule, foldModuleConstants } from "./fold-constants.ts";
import { gatherFusions } from "./gather.ts";
import { layoutFusions } from "./layout.ts";
import { maskFusions } from "./masks.ts";
import { type Fusion, toRewrite } from "./matcher.ts";
import { normFusions } from "./norms.ts";
import { ropeFusions } from "./rope.ts";
import { softmaxFusions } from "./softmax.ts";

const simplifications: readonly Fusion[] = [...layoutFusions, ...arithmeticFusions, ...gatherFusions];
const compoundFusions: readonly Fusion[] = [...normFusions, ...activationFusions, ...ropeFusions, ...softmaxFusions];

/** Each phase runs to its fixpoint: attention is matched after its parts have their plain form. */
const phases: readonly (readonly Fusion[])[] = [
  simplifications,
  [...simplifications, ...compoundFusions],
  [...simplifications, ...attentionFusions],
  [...simplifications, ...maskFusions],
];

/** Every fusion, with its law. */
export const fusions: readonly Fusion[] = [...simplifications, ...compoundFusions, ...attentionFusions, ...maskFusions];

export interface FusedModule extends FoldedModule {
  /** How often each fusion was applied. */
  readonly fusions: ReadonlyMap<string, number>;
}

/** Rewrites the module in the operators that its author used; unmatched operators stay unchanged. */
export function fuseOperators(module: Module, weights: ReadonlyMap<string, Tensor>): FusedModule {
  const appliedFusions = new Map<string, number>();
  let current: FoldedModule = { module, weights };
  for (const phase of phases) {
    const rewrites = phase.map((fusion) => toRewrite(fusion, current.weights));
    const { module: next, applied } = applyRewrites(current.module, rewrites);
    for (const [name, count] of applied) appliedFusions.set(name, (appliedFusions.get(name) ?? 0) + count);
    current = foldModuleConstants(next, current.weights);
  }
  return {
    module: mergeCommonSubexpressions(current.module, current.weights),
    weights: current.weights,
    fusions: appliedFusions,
  };
}
export { type FoldedLoraScale, foldLoraScale } from "./fold-lora-scale.ts";
