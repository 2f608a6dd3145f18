import type { Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/** Far below any score, and few enough bits for a ring. */
export const absent = -(2 ** 14);

/**
 * softmax(s + m) is the same for every m ≤ absent, as long as scores stay above absent / 2 and some score of the row
 * is not masked: e^(absent / 2) is zero in float64. So −∞ and −3.4e38 in a public mask become a number with a ring.
 */
export const boundMask = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    const mask = maskOf(op, draft);
    if (mask === undefined || !draft.isParam(mask) || !isBoundable(draft.weight(mask))) return undefined;
    const { shape, data } = draft.weight(mask);
    const bounded = { shape, data: data.map((x) => Math.max(x, absent)) };
    const param = draft.param(`${draft.weightName(mask)}.bounded`, bounded, draft.type(mask).label);
    const operands = op.operands.map((id) => (id === mask ? param : id));
    return draft.emit(op.name, operands, op.attrs, `${op.result}.bounded`);
  });

/** What is added to scores: the mask of an attention, or the constant of a sum that only softmaxes read. */
function maskOf(op: Op, draft: Draft): ValueId | undefined {
  if (op.name === "attention") return op.operands[3];
  const last = draft.type(op.result).shape.length - 1;
  const onlyScores = draft
    .users(op.result)
    .every((user) => user.name === "softmax" && (user.attrs.axis === -1 || user.attrs.axis === last));
  return op.name === "add" && onlyScores && !draft.isOutput(op.result) ? op.operands.find(draft.isParam) : undefined;
}

/** Whether something is to be bounded, and every row keeps a score. */
function isBoundable({ shape, data }: Tensor): boolean {
  const length = shape.at(-1) ?? 1;
  const hasScore = (row: number): boolean => data.subarray(row * length, (row + 1) * length).some((x) => x > absent);
  const rows = Array.from({ length: data.length / length }, (_, row) => row);
  return data.some((x) => x < absent) && rows.every(hasScore);
}
