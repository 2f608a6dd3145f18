import { tensor } from "../../../../../ir/tensor.ts";
import { bool, i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  type GraphOperand,
  intAttr,
  type LowerContext,
  refuseNode,
  wantsOutput,
} from "../../graph/index.ts";
import { type AttentionInputs, additiveMask, causalCondition, expandAttention } from "../nn/attention-scores.ts";
import { mergeHeads } from "../nn/heads.ts";

/*
 * Shared by the attention operators of com.microsoft. Semantics: docs/ContribOperators.md of ONNX Runtime, and its CPU
 * kernels where that page is silent.
 */

/** Queries [B, H, S, D], keys [B, G, T, D] and values [B, G, T, E] of all positions, and the terms added to scores. */
export interface ContribAttention extends Omit<AttentionInputs, "mask"> {
  readonly added: readonly GraphOperand[];
}

/** [B, S, H·E] */
export function lowerAttention(context: LowerContext, { added, ...parts }: ContribAttention): GraphOperand {
  const mask = added.length === 0 ? undefined : added.reduce((a, b) => context.emit("add", [a, b]));
  const { q, k, v, scale, causal, softcap, sink } = parts;
  if (softcap === 0 && !sink) {
    return mergeHeads(context, context.emit("attention", [q, k, v, ...(mask ? [mask] : [])], { scale, causal }));
  }
  return mergeHeads(context, expandAttention(context, { ...parts, mask })[0]!);
}

export const attentionScale = (context: LowerContext, depth: number): number =>
  intAttr(context, "scale", 0) || 1 / Math.sqrt(depth);

/** Concatenates past keys or values with new ones, along the positions. */
export const appendToPast = (
  { emit, shape }: LowerContext,
  past: GraphOperand | undefined,
  fresh: GraphOperand,
): GraphOperand => (past && shape(past)[2]! > 0 ? emit("concat", [past, fresh], { axis: 2 }) : fresh);

/** The term that a condition adds to scores; none where the condition is known to hold. */
export function maskFromCondition(context: LowerContext, exists: GraphOperand): readonly GraphOperand[] {
  const holds = exists.kind === "constant" && exists.tensor.data.every((value) => value !== 0);
  return holds ? [] : [additiveMask(context, exists)];
}

interface ScoreShapeWithPast {
  readonly rows: number;
  readonly columns: number;
  /** Keys before the first query's own. */
  readonly past: number;
}

/**
 * The causal triangle, where the last query does not stand at the last key; elsewhere the operator's own causality
 * expresses it.
 */
export function causalMaskFor(context: LowerContext, wanted: boolean, { rows, columns, past }: ScoreShapeWithPast) {
  const own = columns - rows === past;
  return { causal: wanted && own, added: wanted && !own ? [causalCondition(context, { rows, columns }, past)] : [] };
}

/** An integer mask: non-zero positions [B, T], the same per query [B, S, T], or lengths [B]. */
export function keyMask(context: LowerContext, mask: GraphOperand, columns: number): readonly GraphOperand[] {
  const { emit, shape, constant } = context;
  const [batch, ...rest] = shape(mask);
  if (rest.length > 0 && rest.at(-1) !== columns)
    refuseNode(`expected a mask of ${columns} keys, found [${shape(mask)}]`);
  if (rest.length === 1 || rest.length === 2) {
    const isVisible = emit("cast", [mask], { to: bool.kind });
    const rows = rest.length === 1 ? 1 : rest[0]!;
    return maskFromCondition(context, emit("reshape", [isVisible], { shape: [batch!, 1, rows, columns] }));
  }
  if (rest.length !== 0) return refuseNode(`a mask with ${rest.length + 1} axes`);
  const lengths = emit("reshape", [mask], { shape: [batch!, 1, 1, 1] });
  const keyIndices = constant(
    tensor(
      [1, 1, 1, columns],
      boundedList(columns, (at) => at),
    ),
    i64,
  );
  return maskFromCondition(context, emit("compare", [keyIndices, lengths], { kind: "less" }));
}

/** Refuses outputs of intermediate scores, which only debugging uses. */
export function refuseScores(context: LowerContext, index: number): void {
  if (wantsOutput(context, index)) refuseNode(`the output ${index + 1}, scores of queries and keys: leave it out`);
}

/** Integer attributes that change the result, and the only supported value of each. */
export function requireAttrs(context: LowerContext, expected: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = intAttr(context, name, value);
    if (found !== value) refuseNode(`${name} = ${found}: expected ${value}`);
  }
}
