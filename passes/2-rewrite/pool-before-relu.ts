import type { SplitState } from "../pass.ts";
import { rewriteOps } from "./draft.ts";

/**
 * max-pool(relu(x)) = relu(max-pool(x)), since relu is monotone: a window of four then has one relu instead of four.
 * Nothing else may read relu(x).
 */
export const poolBeforeRelu = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name !== "max-pool" || draft.type(op.operands[0]!).label !== "shared") return undefined;
    const relu = draft.producer(op.operands[0]!);
    if (relu?.name !== "relu" || draft.isOutput(relu.result) || draft.users(relu.result).length !== 1) return undefined;
    const pooled = draft.emit("max-pool", relu.operands, op.attrs, `${op.result}.pooled`);
    return draft.emit("relu", [pooled], {}, `${op.result}.relu`);
  });
