import { bool, i64 } from "../../../../../ir/type.ts";
import { tensor } from "../../../../../ir/weights.ts";
import type { Operand } from "../../graph/index.ts";
import { intAttr, type LowerContext, listOf, refuse, wantsOutput } from "../../graph/index.ts";
import { additive, type Parts, spelledOut, triangle } from "../nn/attention-scores.ts";
import { joined } from "../nn/heads.ts";

/*
 * What attention operators of com.microsoft have in common. Semantics: docs/ContribOperators.md of ONNX Runtime, and its
 * CPU kernels where that says nothing.
 */

/** Queries [B, H, S, D], keys [B, G, T, D] and values [B, G, T, E] of all places, and what is added to scores. */
export interface Fused extends Omit<Parts, "mask"> {
  readonly added: readonly Operand[];
}

/** [B, S, H·E] */
export function attend(context: LowerContext, { added, ...parts }: Fused): Operand {
  const mask = added.length === 0 ? undefined : added.reduce((a, b) => context.emit("add", [a, b]));
  const { q, k, v, scale, causal, softcap, sink } = parts;
  if (softcap === 0 && !sink) {
    return joined(context, context.emit("attention", [q, k, v, ...(mask ? [mask] : [])], { scale, causal }));
  }
  return joined(context, spelledOut(context, { ...parts, mask })[0]!);
}

export const scaleOf = (context: LowerContext, depth: number): number =>
  intAttr(context, "scale", 0) || 1 / Math.sqrt(depth);

/** Keys or values of the past in front of new ones, along the places. */
export const after = ({ emit, shape }: LowerContext, past: Operand | undefined, fresh: Operand): Operand =>
  past && shape(past)[2]! > 0 ? emit("concat", [past, fresh], { axis: 2 }) : fresh;

/** What a condition on scores adds to them; nothing where it is known to hold. */
export function hiding(context: LowerContext, exists: Operand): readonly Operand[] {
  const holds = exists.kind === "constant" && exists.tensor.data.every((value) => value !== 0);
  return holds ? [] : [additive(context, exists)];
}

interface Places {
  readonly rows: number;
  readonly columns: number;
  /** Keys in front of the first query's own. */
  readonly past: number;
}

/** The triangle, where the last query does not stand at the last key: elsewhere the operator's own causality says it. */
export function causality(context: LowerContext, wanted: boolean, { rows, columns, past }: Places) {
  const own = columns - rows === past;
  return { causal: wanted && own, added: wanted && !own ? [triangle(context, { rows, columns }, past)] : [] };
}

/** A mask of whole numbers: places [B, T] that are not 0, the same of every query [B, S, T], or lengths [B]. */
export function keptKeys(context: LowerContext, mask: Operand, columns: number): readonly Operand[] {
  const { emit, shape, constant } = context;
  const [batch, ...rest] = shape(mask);
  if (rest.length > 0 && rest.at(-1) !== columns) refuse(`expected a mask of ${columns} keys, found [${shape(mask)}]`);
  if (rest.length === 1 || rest.length === 2) {
    const truth = emit("cast", [mask], { to: bool.kind });
    const rows = rest.length === 1 ? 1 : rest[0]!;
    return hiding(context, emit("reshape", [truth], { shape: [batch!, 1, rows, columns] }));
  }
  if (rest.length !== 0) return refuse(`a mask of ${rest.length + 1} axes`);
  const lengths = emit("reshape", [mask], { shape: [batch!, 1, 1, 1] });
  const places = constant(
    tensor(
      [1, 1, 1, columns],
      listOf(columns, (at) => at),
    ),
    i64,
  );
  return hiding(context, emit("compare", [places, lengths], { kind: "less" }));
}

/** Outputs that show scores on the way, which nothing but debugging asks for. */
export function refuseScores(context: LowerContext, place: number): void {
  if (wantsOutput(context, place)) refuse(`the output ${place + 1}, scores of queries and keys: leave it out`);
}

/** Whole numbers that change what is computed, and the only value of each that is supported. */
export function expectAttrs(context: LowerContext, expected: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = intAttr(context, name, value);
    if (found !== value) refuse(`${name} = ${found}: expected ${value}`);
  }
}
