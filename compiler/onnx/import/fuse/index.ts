import type { Module } from "../../../../ir/module.ts";
import { applyRewrites } from "../../../../ir/rewrite.ts";
import type { Tensor } from "../../../../ir/weights.ts";
import { activationRecognisers } from "./activations.ts";
import { arithmeticRecognisers } from "./arithmetic.ts";
import { attentionRecognisers } from "./attention.ts";
import { type Folded, foldConstants } from "./fold-constants.ts";
import { layoutRecognisers } from "./layout.ts";
import { maskRecognisers } from "./masks.ts";
import { type Recogniser, withConstants } from "./match.ts";
import { mergeEqual } from "./merge-equal.ts";
import { normRecognisers } from "./norms.ts";
import { placeRecognisers } from "./places.ts";
import { ropeRecognisers } from "./rope.ts";

const plain: readonly Recogniser[] = [...layoutRecognisers, ...arithmeticRecognisers, ...placeRecognisers];
const compound: readonly Recogniser[] = [...normRecognisers, ...activationRecognisers, ...ropeRecognisers];

/** Each phase runs to its fixpoint: attention is looked for once its parts have their plain form. */
const phases: readonly (readonly Recogniser[])[] = [
  plain,
  [...plain, ...compound],
  [...plain, ...attentionRecognisers],
  [...plain, ...maskRecognisers],
];

/** Every recogniser, with its law. */
export const recognisers: readonly Recogniser[] = [...plain, ...compound, ...attentionRecognisers, ...maskRecognisers];

export interface Canonical extends Folded {
  /** How often each recogniser was used. */
  readonly recognised: ReadonlyMap<string, number>;
}

/** The module in the operators that its model's author thought in; what is not recognised stays as it was. */
export function canonicalize(module: Module, weights: ReadonlyMap<string, Tensor>): Canonical {
  const recognised = new Map<string, number>();
  let current: Folded = { module, weights };
  for (const phase of phases) {
    const rewrites = phase.map((recogniser) => withConstants(recogniser, current.weights));
    const { module: next, applied } = applyRewrites(current.module, rewrites);
    for (const [name, count] of applied) recognised.set(name, (recognised.get(name) ?? 0) + count);
    current = foldConstants(next, current.weights);
  }
  return { module: mergeEqual(current.module, current.weights), weights: current.weights, recognised };
}
export { foldLoraScale } from "./lora-scale.ts";
