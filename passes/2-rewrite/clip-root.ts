import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * clip(√v, lo, hi) = √clip(v, lo², hi²) for 0 ≤ lo ≤ hi, and max(√v, c) = √max(v, c²) for a public c ≥ 0. A quotient by
 * such a bounded root, as x / max(‖x‖, ε), then takes one inverse root instead of a root and an inverse.
 */
export const clipRoot = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name === "clip") return ofClip(op, draft);
    return op.name === "maximum" ? ofMaximum(op, draft) : undefined;
  });

/** v, if the value is √v of a secret. */
function radicand(id: ValueId, draft: Draft): ValueId | undefined {
  const root = draft.producer(id);
  return root?.name === "sqrt" && draft.type(id).label === "shared" ? root.operands[0] : undefined;
}

function ofClip(op: Op, draft: Draft): ValueId | undefined {
  const v = radicand(op.operands[0]!, draft);
  const [lo, hi] = [Number(op.attrs.lo), Number(op.attrs.hi)];
  if (v === undefined || lo < 0 || hi < lo) return undefined;
  const clipped = draft.emit("clip", [v], { lo: lo ** 2, hi: hi ** 2 }, `${op.result}.clipped`);
  return draft.emit("sqrt", [clipped], {}, `${op.result}.root`);
}

function ofMaximum(op: Op, draft: Draft): ValueId | undefined {
  for (const [at, id] of op.operands.entries()) {
    const v = radicand(op.operands[1 - at]!, draft);
    const isPublic = draft.isParam(id) && draft.type(id).label === "public";
    const least = isPublic ? draft.weight(id).data : undefined;
    // One number for all elements is a clip.
    if (v === undefined || !least?.every((c) => c >= 0 && c === least[0]) || least.length === 0) continue;
    const clipped = draft.emit("clip", [v], { lo: least[0]! ** 2, hi: Infinity }, `${op.result}.clipped`);
    return draft.emit("sqrt", [clipped], {}, `${op.result}.root`);
  }
  return undefined;
}
