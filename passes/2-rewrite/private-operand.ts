import type { Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, derivedParam, publicScalar, rewriteOps } from "./draft.ts";

/**
 * Operators between a secret and a private weight for which only protocols with a public number, or between two
 * secrets, exist. The server adds its weight to its own share at no cost, so what remains is a difference:
 *   x < w  ⟺  x − w < 0, and so for every order
 *   where(c, x, w) = where(c, x − w, 0) + w, where(c, w, x) = where(c, 0, x − w) + w
 *   where(c, v, w) = 2·c·(v/2 − w/2) + w for two weights
 *   where(p, x, y) = p·(x − y) + y for a private condition p
 */
export const privateOperand = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => (Object.hasOwn(rules, op.name) ? rules[op.name]!(op, draft) : undefined));

type Rule = (op: Op, draft: Draft) => ValueId | undefined;

const isPrivate = (draft: Draft, id: ValueId): boolean => draft.isParam(id) && draft.type(id).label === "server";
const isSecret = (draft: Draft, id: ValueId): boolean => draft.type(id).label === "shared";

const compare: Rule = (op, draft) => {
  const [x, y] = op.operands as [ValueId, ValueId];
  if (!(isPrivate(draft, x) && isSecret(draft, y)) && !(isSecret(draft, x) && isPrivate(draft, y))) return undefined;
  const [left, right] = [x, y].map((id) => asNumber(id, op, draft)) as [ValueId, ValueId];
  const difference = draft.emit("sub", [left, right], {}, `${op.result}.difference`);
  return draft.emit("compare", [difference, publicScalar(draft, 0)], op.attrs, `${op.result}.order`);
};

/** A boolean as 0 or 1. */
function asNumber(id: ValueId, op: Op, draft: Draft): ValueId {
  if (draft.type(id).element.kind !== "bool") return id;
  if (!draft.isParam(id)) return draft.emit("cast", [id], { to: "f32" }, `${op.result}.number`);
  const { label } = draft.type(id);
  return draft.param(`${draft.weightName(id)} as number`, draft.weight(id), label);
}

const where: Rule = (op, draft) => {
  const [c, x, y] = op.operands as [ValueId, ValueId, ValueId];
  if (isPrivate(draft, c)) return selectedPrivately(op, draft);
  if (!isSecret(draft, c) || !(isPrivate(draft, x) || isPrivate(draft, y))) return undefined;
  const emit = (suffix: string, name: string, ...operands: readonly ValueId[]): ValueId =>
    draft.emit(name, operands, name === "cast" ? { to: "f32" } : {}, `${op.result}.${suffix}`);
  if (draft.isParam(x) && draft.isParam(y)) {
    // Half of the difference keeps every bound that x and y keep; the difference may be twice as large.
    const halves = [x, y].map((id) => ({ value: halved(draft.weight(id)), label: draft.type(id).label }));
    const between = derivedParam(draft, `(${draft.weightName(x)}-${draft.weightName(y)})/2`, "sub", halves);
    const part = emit("part", "mul", emit("number", "cast", c), between);
    return emit("chosen", "add", emit("difference", "add", part, part), y);
  }
  const zero = publicScalar(draft, 0);
  return isPrivate(draft, y)
    ? emit("chosen", "add", emit("part", "where", c, emit("beyond", "sub", x, y), zero), y)
    : emit("chosen", "add", emit("part", "where", c, zero, emit("beyond", "sub", y, x)), x);
};

const halved = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.map((x) => x / 2) });

/** p·(x − y) + y, of which at least one is secret. */
function selectedPrivately(op: Op, draft: Draft): ValueId | undefined {
  const [p, x, y] = op.operands as [ValueId, ValueId, ValueId];
  if (draft.type(op.result).label !== "shared") return undefined;
  const difference = draft.emit("sub", [x, y], {}, `${op.result}.difference`);
  const part = draft.emit("mul", [difference, asNumber(p, op, draft)], {}, `${op.result}.part`);
  return draft.emit("add", [part, y], {}, `${op.result}.chosen`);
}

const rules: Readonly<Record<string, Rule>> = { compare, where };
