import { tensor } from "../../../../../ir/tensor.ts";
import { bool, i64 } from "../../../../../ir/type.ts";
import type { GraphOperand } from "../../graph/index.ts";
import { boundedList, intAttr, type LowerContext, refuseNode, wantsOutput } from "../../graph/index.ts";
import { type AttentionInputs, additiveMask, causalCondition, expandAttention } from "../nn/attention-scores.ts";
import { mergeHeads } from "../nn/heads.ts";

/*
 * What attention operators of com.microsoft have in common. Semantics: docs/ContribOperators.md of ONNX Runtime, and its
 * CPU kernels where that says nothing.
 */

/** Queries [B, H, S, D], keys [B, G, T, D] and values [B, G, T, E] of all places, and what is added to scores. */
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

/** Keys or values of the past in front of new ones, along the places. */
export const appendToPast = (
  { emit, shape }: LowerContext,
  past: GraphOperand | undefined,
  fresh: GraphOperand,
): GraphOperand => (past && shape(past)[2]! > 0 ? emit("concat", [past, fresh], { axis: 2 }) : fresh);

/** What a condition on scores adds to them; nothing where it is known to hold. */
export function maskFromCondition(context: LowerContext, exists: GraphOperand): readonly GraphOperand[] {
  const holds = exists.kind === "constant" && exists.tensor.data.every((value) => value !== 0);
  return holds ? [] : [additiveMask(context, exists)];
}

interface ScoreShapeWithPast {
  readonly rows: number;
  readonly columns: number;
  /** Keys in front of the first query's own. */
  readonly past: number;
}

/** The triangle, where the last query does not stand at the last key: elsewhere the operator's own causality says it. */
export function causalMaskFor(context: LowerContext, wanted: boolean, { rows, columns, past }: ScoreShapeWithPast) {
  const own = columns - rows === past;
  return { causal: wanted && own, added: wanted && !own ? [causalCondition(context, { rows, columns }, past)] : [] };
}

/** A mask of whole numbers: places [B, T] that are not 0, the same of every query [B, S, T], or lengths [B]. */
export function keyMask(context: LowerContext, mask: GraphOperand, columns: number): readonly GraphOperand[] {
  const { emit, shape, constant } = context;
  const [batch, ...rest] = shape(mask);
  if (rest.length > 0 && rest.at(-1) !== columns)
    refuseNode(`expected a mask of ${columns} keys, found [${shape(mask)}]`);
  if (rest.length === 1 || rest.length === 2) {
    const truth = emit("cast", [mask], { to: bool.kind });
    const rows = rest.length === 1 ? 1 : rest[0]!;
    return maskFromCondition(context, emit("reshape", [truth], { shape: [batch!, 1, rows, columns] }));
  }
  if (rest.length !== 0) return refuseNode(`a mask of ${rest.length + 1} axes`);
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

/** Outputs that show scores on the way, which nothing but debugging asks for. */
export function refuseScores(context: LowerContext, index: number): void {
  if (wantsOutput(context, index)) refuseNode(`the output ${index + 1}, scores of queries and keys: leave it out`);
}

/** Whole numbers that change what is computed, and the only value of each that is supported. */
export function requireAttrs(context: LowerContext, expected: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = intAttr(context, name, value);
    if (found !== value) refuseNode(`${name} = ${found}: expected ${value}`);
  }
}
