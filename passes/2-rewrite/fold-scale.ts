import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * softmax(s·q·kᵀ) = softmax(ln 2 · (c·q)·kᵀ) with c = s·log2 e: the protocol computes powers of two, so q should carry
 * the factor c. That is free where c goes into a weight:
 *   c·(x·W) = x·(c·W),  c·rope(x, cos, sin) = rope(x, c·cos, c·sin),  c·(a + b) = c·a + c·b,
 * and a scalar commutes with reshape, transpose and slice. If a value on the way has another reader, the scale stays.
 */
export const foldScale = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    const { scale } = op.attrs;
    if (!attentions.has(op.name) || typeof scale !== "number" || scale <= 0) return undefined;
    const [q, ...rest] = op.operands as [ValueId, ...ValueId[]];
    const factor = scale * Math.LOG2E;
    if (Math.abs(factor - 1) < 1e-12 || rest.includes(q) || !scales(q, draft)) return undefined;
    const scaled = multiply(q, factor, draft);
    return draft.emit(op.name, [scaled, ...rest], { ...op.attrs, scale: Math.LN2 }, `${op.result}.base2`);
  });

const attentions: ReadonlySet<string> = new Set(["attention", "cached-attention"]);

/** Which operands of an operator must carry the factor, so that its result does. */
const carriers: Readonly<Record<string, (op: Op, draft: Draft) => readonly number[] | undefined>> = {
  reshape: () => [0],
  transpose: () => [0],
  slice: () => [0],
  expand: () => [0],
  neg: () => [0],
  add: () => [0, 1],
  sub: () => [0, 1],
  concat: (op) => [...op.operands.keys()],
  rope: (op, draft) => (draft.isParam(op.operands[1]!) && draft.isParam(op.operands[2]!) ? [1, 2] : undefined),
  mul: weighted,
  matmul: weighted,
};

/** The weight of a product; of two weights, the first. */
function weighted(op: Op, draft: Draft): readonly number[] | undefined {
  const index = op.operands.findIndex(draft.isParam);
  return index < 0 ? undefined : [index];
}

/** Whether weights behind this value can absorb the factor without an effect on other values. */
function scales(id: ValueId, draft: Draft): boolean {
  if (draft.isParam(id)) return true;
  const op = draft.producer(id);
  if (!op || draft.isOutput(id) || draft.users(id).length !== 1 || !Object.hasOwn(carriers, op.name)) return false;
  const carrying = carriers[op.name]!(op, draft);
  return carrying?.every((index) => scales(op.operands[index]!, draft)) ?? false;
}

function multiply(id: ValueId, factor: number, draft: Draft): ValueId {
  if (draft.isParam(id)) {
    const { shape, data } = draft.weight(id);
    const { label } = draft.type(id);
    return draft.param(`${draft.weightName(id)}*${factor}`, { shape, data: data.map((x) => x * factor) }, label);
  }
  const op = draft.producer(id)!;
  const carrying = carriers[op.name]!(op, draft)!;
  const operands = op.operands.map((operand, index) =>
    carrying.includes(index) ? multiply(operand, factor, draft) : operand,
  );
  return draft.emit(op.name, operands, op.attrs, `${id}.scaled`);
}
