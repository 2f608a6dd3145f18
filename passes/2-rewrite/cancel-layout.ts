import type { Op, ValueId } from "../../ir/module.ts";
import { sameShape } from "../../ir/type.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, type OpRule, rewriteOps } from "./draft.ts";

/** Removes layout operators that change nothing, and merges two in a row into one. */
export const cancelLayout = (state: SplitState): SplitState => {
  const once = rewriteOps(state, simplify);
  const seen = new Map<string, ValueId>();
  return rewriteOps(once, (op) => dedupe(op, seen));
};

const simplify: OpRule = (op, draft) => (Object.hasOwn(rules, op.name) ? rules[op.name]!(op, draft) : undefined);

const operand = (op: Op): ValueId => op.operands[0]!;
const unchanged = (op: Op, draft: Draft): boolean =>
  sameShape(draft.type(operand(op)).shape, (op.attrs.shape as readonly number[]) ?? []);

/** The producer of the operand, if it is the same operator. */
function before(op: Op, draft: Draft): Op | undefined {
  const previous = draft.producer(operand(op));
  return previous?.name === op.name ? previous : undefined;
}

const rules: Readonly<Record<string, OpRule>> = {
  // reshape(reshape(x, s), t) = reshape(x, t), and reshape(x, shape of x) = x
  reshape: (op, draft) => {
    if (unchanged(op, draft)) return operand(op);
    const previous = before(op, draft);
    if (!previous) return undefined;
    const source = operand(previous);
    if (unchanged({ ...op, operands: [source] }, draft)) return source;
    return draft.emit("reshape", [source], op.attrs, `${op.result}.whole`);
  },
  // transpose(transpose(x, p), q) = transpose(x, p∘q)
  transpose: (op, draft) => {
    const perm = op.attrs.perm as readonly number[];
    if (perm.every((axis, index) => axis === index)) return operand(op);
    const previous = before(op, draft);
    if (!previous) return undefined;
    const both = perm.map((axis) => (previous.attrs.perm as readonly number[])[axis]!);
    if (both.every((axis, index) => axis === index)) return operand(previous);
    return draft.emit("transpose", [operand(previous)], { perm: both }, `${op.result}.whole`);
  },
  // slice(x, all of it, in order) = x
  slice: (op, draft) => {
    const { starts, ends, steps } = op.attrs as Record<string, readonly number[]>;
    const { shape } = draft.type(operand(op));
    const whole = shape.every((size, axis) => starts![axis] === 0 && ends![axis] === size && steps![axis] === 1);
    return whole ? operand(op) : undefined;
  },
  expand: (op, draft) => (unchanged(op, draft) ? operand(op) : undefined),
  concat: (op) => (op.operands.length === 1 ? operand(op) : undefined),
  cast: (op, draft) => (draft.type(operand(op)).element.kind === op.attrs.to ? operand(op) : undefined),
};

/** The same operator on the same operands gives the same value. A reveal has an effect, so it stays. */
function dedupe(op: Op, seen: Map<string, ValueId>): ValueId | undefined {
  if (op.name === "reveal") return undefined;
  const attrs = Object.entries(op.attrs).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([op.name, op.operands, attrs]);
  const known = seen.get(key);
  if (known === undefined) seen.set(key, op.result);
  return known;
}
