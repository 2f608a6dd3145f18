import type { SplitState } from "../pass.ts";
import { maskedScore } from "./clamp-mask.ts";
import { type Draft, publicScalar, rewriteOps } from "./draft.ts";
import { isReadAsScores, readGraphOf } from "./score-consumers.ts";

/**
 * softmax(where(c, s, a)) = softmax(s + where(c, 0, a)) for a constant a ≤ maskedScore: a masked score has probability
 * 0 either way. The selection is then between constants, and clamp-mask bounds −∞ as in any mask.
 */
export function toAdditiveMask(state: SplitState): SplitState {
  const graph = readGraphOf(state.module);
  return rewriteOps(state, (op, draft) => {
    if (op.name !== "where" || !isReadAsScores(op.result, graph)) return undefined;
    const [condition, x, y] = op.operands as [string, string, string];
    const [whereTrue, scores] = isMaskedScore(y, draft) ? [true, x] : isMaskedScore(x, draft) ? [false, y] : [];
    if (scores === undefined || draft.type(scores).label !== "shared") return undefined;
    const sides = [publicScalar(draft, 0), publicScalar(draft, maskedScore)];
    const mask = draft.emit("where", [condition, ...(whereTrue ? sides : sides.reverse())], {}, `${op.result}.mask`);
    return draft.emit("add", [scores, mask], {}, `${op.result}.masked`);
  });
}

const isMaskedScore = (id: string, draft: Draft): boolean =>
  draft.isParam(id) && draft.type(id).label === "public" && draft.weight(id).data.every((x) => x <= maskedScore / 2);
