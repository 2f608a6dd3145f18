import type { Op, ValueId } from "../../ir/module.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, publicScalar, rewriteOps } from "./draft.ts";

/**
 * ln Σ e^x = max x + ln Σ e^(x − max x) and ln(1 + e^x) = relu(x) + ln(1 + e^−|x|): no exponential grows beyond 1, so a
 * ring that holds x holds all intermediate values. A sum whose exponents are at most 0 already stays.
 */
export const logSumExp = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name !== "log" || draft.type(op.result).label !== "shared") return undefined;
    const inner = draft.producer(op.operands[0]!);
    if (inner?.name === "reduce-sum") return ofRow(op, inner, draft);
    return inner?.name === "add" ? ofOneAnd(op, inner, draft) : undefined;
  });

const emitter =
  (op: Op, draft: Draft) =>
  (suffix: string, name: string, operands: readonly ValueId[], attrs: Op["attrs"] = {}): ValueId =>
    draft.emit(name, operands, attrs, `${op.result}.${suffix}`);

/** x, if the value is e^x and nothing says that x is at most 0. */
function exponentOf(id: ValueId, draft: Draft): ValueId | undefined {
  const exponential = draft.producer(id);
  if (exponential?.name !== "exp") return undefined;
  const [x] = exponential.operands as [ValueId];
  return isCentred(x, draft) ? undefined : x;
}

/** x − max x, −|x| and −x². */
function isCentred(id: ValueId, draft: Draft): boolean {
  const op = draft.producer(id);
  const names = op?.operands.map((operand) => draft.producer(operand)?.name);
  if (op?.name === "sub") return names?.[1] === "reduce-max";
  return op?.name === "neg" && (names?.[0] === "abs" || names?.[0] === "square");
}

function ofRow(op: Op, sum: Op, draft: Draft): ValueId | undefined {
  const x = exponentOf(sum.operands[0]!, draft);
  if (x === undefined) return undefined;
  const emit = emitter(op, draft);
  const { axes } = sum.attrs;
  const most = emit("most", "reduce-max", [x], { axes: axes!, keepdims: true });
  const exponential = emit("exp", "exp", [emit("centred", "sub", [x, most])]);
  const rest = emit("rest", "reduce-sum", [exponential], { axes: axes!, keepdims: true });
  const whole = emit("whole", "add", [most, emit("log", "log", [rest])]);
  const { shape } = draft.type(op.result);
  return sum.attrs.keepdims === false ? emit("flat", "reshape", [whole], { shape }) : whole;
}

function ofOneAnd(op: Op, sum: Op, draft: Draft): ValueId | undefined {
  const at = sum.operands.findIndex((id) => isOne(id, draft));
  const x = at < 0 ? undefined : exponentOf(sum.operands[1 - at]!, draft);
  if (x === undefined) return undefined;
  const emit = emitter(op, draft);
  const exponential = emit("exp", "exp", [emit("below", "neg", [emit("size", "abs", [x])])]);
  const logarithm = emit("log", "log", [emit("sum", "add", [exponential, publicScalar(draft, 1)])]);
  return emit("whole", "add", [emit("relu", "relu", [x]), logarithm]);
}

const isOne = (id: ValueId, draft: Draft): boolean =>
  draft.isParam(id) && draft.type(id).label === "public" && draft.weight(id).data.every((value) => value === 1);
