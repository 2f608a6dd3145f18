import type { Pass, SplitState } from "../pass.ts";
import { toAdditiveMask } from "./additive-mask.ts";
import { argmaxOutput } from "./argmax-output.ts";
import { cancelIdentity } from "./cancel-identity.ts";
import { cancelLayout } from "./cancel-layout.ts";
import { clampMask } from "./clamp-mask.ts";
import { clipRoot } from "./clip-root.ts";
import { decompose, decomposeRoots } from "./decompose.ts";
import { foldChannelScale } from "./fold-channel-scale.ts";
import { foldConstants, foldWeights } from "./fold-constants.ts";
import { foldNormWeight } from "./fold-norm-weight.ts";
import { foldScale } from "./fold-scale.ts";
import { fuseLowRank } from "./fuse-low-rank.ts";
import { fuseMatmuls } from "./fuse-matmuls.ts";
import { logSumExp } from "./log-sum-exp.ts";
import { ownFunctions } from "./own-functions.ts";
import { poolBeforeRelu } from "./pool-before-relu.ts";
import { keepPrivateLookups, privateEmbedding } from "./private-embedding.ts";
import { privateMask } from "./private-mask.ts";
import { privateOperand } from "./private-operand.ts";
import { relocateHead } from "./relocate-head.ts";
import { removeDead } from "./remove-dead.ts";
import { scaleTests } from "./scale-tests.ts";
import { splitLora } from "./split-lora.ts";

/** What the client receives of the head (`--head`). Absent: the head stays in the secure module. */
export type HeadPolicy = "logits" | "token";

export interface RewriteOptions {
  readonly head?: HeadPolicy;
  /**
   * How to look up rows of private tables: by one-hot rows, or by a protocol that hides the indices. Default: one-hot.
   */
  readonly lookups?: "one-hot" | "private";
  /** Whether the available protocols compute an operator that only a rewrite makes. Default: none. */
  readonly computes?: (operator: string) => boolean;
  /** Whether features are scaled (`--scale-features`). */
  readonly scalesFeatures?: boolean;
  /** Names of rewrites to skip, for systems that compute a graph as it is. */
  readonly without?: readonly string[];
}

export interface RewriteStep {
  readonly name: string;
  readonly apply: (state: SplitState) => SplitState;
  /** Absent: always. */
  readonly when?: (options: RewriteOptions) => boolean;
}

/** In order. A new rewrite is a file with its law and a line here. */
export const rewrites: readonly RewriteStep[] = [
  { name: "private-mask", apply: privateMask },
  { name: "fold-constants", apply: foldConstants },
  { name: "argmax-output", apply: argmaxOutput, when: ({ head }) => head === "token" },
  { name: "relocate-head", apply: relocateHead, when: ({ head }) => head === "logits" },
  { name: "private-embedding", apply: privateEmbedding, when: ({ lookups }) => lookups !== "private" },
  { name: "private-lookup", apply: keepPrivateLookups, when: ({ lookups }) => lookups === "private" },
  { name: "cancel-layout", apply: cancelLayout },
  { name: "split-lora", apply: splitLora },
  { name: "additive-mask", apply: toAdditiveMask },
  { name: "private-operand", apply: privateOperand },
  { name: "log-sum-exp", apply: logSumExp },
  { name: "own-functions", apply: ownFunctions },
  { name: "clip-root", apply: clipRoot },
  { name: "decompose", apply: decompose },
  { name: "decompose-roots", apply: decomposeRoots, when: ({ computes }) => !computes?.("sqrt") },
  { name: "own-functions", apply: ownFunctions },
  { name: "cancel-identity", apply: cancelIdentity },
  { name: "clamp-mask", apply: clampMask },
  { name: "fold-channel-scale", apply: foldChannelScale },
  { name: "pool-before-relu", apply: poolBeforeRelu },
  { name: "fold-norm-weight", apply: foldNormWeight },
  { name: "fold-scale", apply: foldScale },
  { name: "fold-weights", apply: foldWeights },
  { name: "scale-tests", apply: scaleTests, when: ({ scalesFeatures }) => scalesFeatures ?? false },
  { name: "cancel-layout", apply: cancelLayout },
  { name: "fuse-low-rank", apply: fuseLowRank, when: ({ computes }) => computes?.("low-rank") ?? false },
  { name: "remove-dead", apply: removeDead },
  { name: "fuse-matmuls", apply: fuseMatmuls },
  { name: "remove-dead", apply: removeDead },
];

export function rewrite(state: SplitState, options: RewriteOptions = {}): SplitState {
  const { without = [] } = options;
  const chosen = rewrites.filter(({ name, when }) => !without.includes(name) && (when?.(options) ?? true));
  const done = chosen.reduce((current, { apply }) => apply(current), state);
  return { ...done, module: { ...done.module, stage: "rewrite" } };
}

export const rewritePass = (options: RewriteOptions = {}): Pass<SplitState> => ({
  name: "rewrite",
  requires: "split",
  ensures: "rewrite",
  run: (state) => rewrite(state, options),
});
export { type Draft, publicScalar, rewriteOps } from "./draft.ts";
