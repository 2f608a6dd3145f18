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

const simplifications: readonly Fusion[] = [...layoutFusions, ...arithmeticFusions, ...gatherFusions];
const compoundFusions: readonly Fusion[] = [...normFusions, ...activationFusions, ...ropeFusions];

/** Each phase runs to its fixpoint: attention is looked for once its parts have their plain form. */
const phases: readonly (readonly Fusion[])[] = [
  simplifications,
  [...simplifications, ...compoundFusions],
  [...simplifications, ...attentionFusions],
  [...simplifications, ...maskFusions],
];

/** Every recogniser, with its law. */
export const fusions: readonly Fusion[] = [...simplifications, ...compoundFusions, ...attentionFusions, ...maskFusions];

export interface FusedModule extends FoldedModule {
  /** How often each recogniser was used. */
  readonly fusions: ReadonlyMap<string, number>;
}

/** The module in the operators that its model's author thought in; what is not recognised stays as it was. */
export function fuseOperators(module: Module, weights: ReadonlyMap<string, Tensor>): FusedModule {
  const recognised = new Map<string, number>();
  let current: FoldedModule = { module, weights };
  for (const phase of phases) {
    const rewrites = phase.map((recogniser) => toRewrite(recogniser, current.weights));
    const { module: next, applied } = applyRewrites(current.module, rewrites);
    for (const [name, count] of applied) recognised.set(name, (recognised.get(name) ?? 0) + count);
    current = foldModuleConstants(next, current.weights);
  }
  return {
    module: mergeCommonSubexpressions(current.module, current.weights),
    weights: current.weights,
    fusions: recognised,
  };
}
export { type FoldedLoraScale, foldLoraScale } from "./fold-lora-scale.ts";
