import type { ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, publicScalar, rewriteOps } from "./draft.ts";

/**
 * attention(q, k, v, m) = attention(q, k, v, 0·x + m) for a private mask m and any shared number x: position biases, as
 * T5, BEiT and Swin learn them. The server adds m to its share of zero at no cost, and attention takes the shared sum.
 * Terms of m stay apart: a public term that masks scores is no part of the private weight.
 */
export const privateMask = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined || draft.type(mask).label !== "server") return undefined;
    const [q] = op.operands as [ValueId];
    const rank = draft.type(q).shape.length;
    const first = Array.from({ length: rank }, () => 0);
    const one = first.map(() => 1);
    const x = draft.emit("slice", [q], { starts: first, ends: one, steps: one }, `${op.result}.any`);
    const zero = draft.emit("mul", [x, publicScalar(draft, 0)], {}, `${op.result}.zero`);
    const shared = termsOf(mask, draft).reduce(
      (sum, term) => draft.emit("add", [sum, term], {}, `${op.result}.mask`),
      zero,
    );
    return draft.emit("attention", [...op.operands.slice(0, 3), shared], op.attrs, op.result);
  });

function termsOf(id: ValueId, draft: Draft): readonly ValueId[] {
  const sum = draft.producer(id);
  return sum?.name === "add" ? sum.operands.flatMap((operand) => termsOf(operand, draft)) : [id];
}
