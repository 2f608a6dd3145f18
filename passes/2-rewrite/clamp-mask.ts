import type { Op, Value, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type ClientCut, type SplitState, withCuts } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";
import { isReadAsScores, type ReadGraph, readGraphOf } from "./score-consumers.ts";

/** Far below any score, and few enough bits for a ring. */
export const maskedScore = -(2 ** 12);

/**
 * softmax(s + m) is the same for every m ≤ maskedScore, as long as scores stay above maskedScore / 2 and some score of
 * the row is not masked: e^(maskedScore / 2) is zero in float64. So −∞ and −3.4e38 in a mask become a number that a
 * ring holds: in a public mask here, in the client's mask where the client shares it.
 */
export const clampMask = (state: SplitState): SplitState => clampCuts(clampParams(state));

function clampParams(state: SplitState): SplitState {
  const graph = readGraphOf(state.module);
  return rewriteOps(state, (op, draft) => {
    const mask = maskOf(op, draft, graph);
    // The contents of a private mask must not decide the structure of the module.
    if (mask === undefined || !draft.isParam(mask) || draft.type(mask).label !== "public") return undefined;
    if (!needsClamp(draft.weight(mask))) return undefined;
    const { shape, data } = draft.weight(mask);
    const bounded = { shape, data: data.map((x) => Math.max(x, maskedScore)) };
    const param = draft.param(`${draft.weightName(mask)}.bounded`, bounded, draft.type(mask).label);
    const operands = op.operands.map((id) => (id === mask ? param : id));
    return draft.emit(op.name, operands, op.attrs, `${op.result}.bounded`);
  });
}

/** The operand that is added to scores: the mask of an attention, or the constant of a sum that only softmaxes read. */
function maskOf(op: Op, draft: Draft, graph: ReadGraph): ValueId | undefined {
  if (op.name === "attention") return op.operands[3];
  return op.name === "add" && isReadAsScores(op.result, graph) ? op.operands.find(draft.isParam) : undefined;
}

/** Whether some entry needs a bound, and every row keeps a score. */
function needsClamp({ shape, data }: Tensor): boolean {
  const length = shape.at(-1) ?? 1;
  const hasScore = (row: number): boolean =>
    data.subarray(row * length, (row + 1) * length).some((x) => x > maskedScore);
  const rows = Array.from({ length: data.length / length }, (_, row) => row);
  return data.some((x) => x < maskedScore) && rows.every(hasScore);
}

/**
 * Bounds real values that a party shares and that are only added to scores. Its data decides what is
 * masked, so this looks at the readers of a value alone.
 */
function clampCuts(state: SplitState): SplitState {
  const { module } = state;
  const graph = readGraphOf(module);
  const values: Record<ValueId, Value> = { ...module.values };
  const bounded = new Set<ValueId>();
  const bound = (cut: ClientCut): ClientCut => {
    const value = values[cut.value]!;
    if (value.type.element.kind !== "f32" || cut.oneHot !== undefined || !isMask(cut.value, graph)) return cut;
    // Its owner refuses a mask above it, like any input that its ring does not hold.
    values[cut.value] = { ...value, range: { lo: maskedScore, hi: -maskedScore } };
    bounded.add(cut.value);
    return { ...cut, least: maskedScore };
  };
  const clamped = withCuts(state, (cuts) => cuts.map(bound));
  return withoutIdleClips({ ...clamped, module: { ...module, values } }, bounded);
}

/** A clip whose bounds lie outside ±maskedScore. */
const isIdleClip = ({ name, attrs }: Op): boolean =>
  name === "clip" && Number(attrs.lo) <= maskedScore && Number(attrs.hi) >= -maskedScore;

/** max(m, c) = m for c ≤ maskedScore ≤ m. */
function withoutIdleClips(state: SplitState, bounded: ReadonlySet<ValueId>): SplitState {
  const isBounded = (id: ValueId, draft: Draft): boolean => {
    const op = draft.producer(id);
    return op ? structural.has(op.name) && isBounded(op.operands[0]!, draft) : bounded.has(id);
  };
  return rewriteOps(state, (op, draft) =>
    isIdleClip(op) && isBounded(op.operands[0]!, draft) ? op.operands[0] : undefined,
  );
}

/** Operators that commute with max(·, c). */
const structural: ReadonlySet<string> = new Set(["share", "reshape", "transpose", "slice", "expand"]);

function isMask(id: ValueId, graph: ReadGraph): boolean {
  const readers = graph.users.get(id) ?? [];
  return (
    readers.length > 0 &&
    !graph.outputs.has(id) &&
    readers.every((op) => {
      if (structural.has(op.name) || isIdleClip(op)) return isMask(op.result, graph);
      if (op.name === "attention") return op.operands.lastIndexOf(id) === 3 && op.operands.indexOf(id) === 3;
      if (op.name !== "add" || op.operands[0] === op.operands[1]) return false;
      return isReadAsScores(op.result, graph) || isMask(op.result, graph);
    })
  );
}
