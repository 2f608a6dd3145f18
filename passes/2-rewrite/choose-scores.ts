import type { SplitState } from "../pass.ts";
import { absent } from "./bound-mask.ts";
import { constant, type Draft, rewriteOps } from "./draft.ts";
import { graphOf, isReadAsScores } from "./score-readers.ts";

/**
 * softmax(where(c, s, a)) = softmax(s + where(c, 0, a)) for a constant a ≤ absent: what is masked has no weight either
 * way. The choice is then between constants, and −∞ is bounded as in any mask.
 */
export function chooseScores(state: SplitState): SplitState {
  const graph = graphOf(state.module);
  return rewriteOps(state, (op, draft) => {
    if (op.name !== "where" || !isReadAsScores(op.result, graph)) return undefined;
    const [condition, x, y] = op.operands as [string, string, string];
    const [kept, scores] = isAbsent(y, draft) ? [true, x] : isAbsent(x, draft) ? [false, y] : [];
    if (scores === undefined || draft.type(scores).label !== "shared") return undefined;
    const sides = [constant(draft, 0), constant(draft, absent)];
    const mask = draft.emit("where", [condition, ...(kept ? sides : sides.reverse())], {}, `${op.result}.mask`);
    return draft.emit("add", [scores, mask], {}, `${op.result}.masked`);
  });
}

const isAbsent = (id: string, draft: Draft): boolean =>
  draft.isParam(id) && draft.type(id).label === "public" && draft.weight(id).data.every((x) => x <= absent / 2);
