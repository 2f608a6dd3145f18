import type { SplitState } from "../pass.ts";
import { rewriteOps } from "./draft.ts";

/** Far below any score, and few enough bits for a ring. */
export const absent = -(2 ** 14);

/**
 * softmax(s + m) is the same for every m ≤ absent, as long as scores stay above absent / 2 and some score of the row
 * is not masked: e^(absent / 2) is zero in float64. So −∞ and −3.4e38 in a public mask become a number with a ring.
 */
export const boundMask = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    const mask = op.operands[3];
    if (op.name !== "attention" || mask === undefined || !draft.isParam(mask)) return undefined;
    const { shape, data } = draft.weight(mask);
    const length = shape.at(-1)!;
    const rowHasScore = (at: number): boolean => data.subarray(at, at + length).some((x) => x > absent);
    const rows = Array.from({ length: data.length / length }, (_, row) => row * length);
    if (!data.some((x) => x < absent) || !rows.every(rowHasScore)) return undefined;
    const bounded = { shape, data: data.map((x) => Math.max(x, absent)) };
    const operands = [
      ...op.operands.slice(0, 3),
      draft.param(`${draft.weightName(mask)}.bounded`, bounded, draft.type(mask).label),
    ];
    return draft.emit("attention", operands, op.attrs, `${op.result}.bounded`);
  });
