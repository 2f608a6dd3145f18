import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/** x·1 = x, x/1 = x, x + 0 = x, x − 0 = x: a neutral constant would cost a scale and a truncation. */
export const cancelIdentity = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    const neutral = Object.hasOwn(neutrals, op.name) ? neutrals[op.name] : undefined;
    return neutral?.indices
      .map((index) => otherOperand(op, index, neutral.value, draft))
      .find((id) => id !== undefined);
  });

/** The neutral element, and the operands for which it is neutral. */
const neutrals: Readonly<Record<string, { readonly value: number; readonly indices: readonly number[] }>> = {
  mul: { value: 1, indices: [0, 1] },
  div: { value: 1, indices: [1] },
  add: { value: 0, indices: [0, 1] },
  sub: { value: 0, indices: [1] },
};

/** The other operand, if the one at this index is the neutral element. Contents of private weights do not matter. */
function otherOperand(op: Op, index: number, value: number, draft: Draft): ValueId | undefined {
  const id = op.operands[index]!;
  const isConstant = draft.isParam(id) && draft.type(id).label === "public";
  return isConstant && draft.weight(id).data.every((x) => x === value) ? op.operands[1 - index] : undefined;
}
