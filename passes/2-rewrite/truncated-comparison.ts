import type { Op, ValueId } from "../../ir/module.ts";
import { mirroredComparison } from "../graph.ts";
import { type Draft, publicScalar } from "./draft.ts";

/** Relation of x to a bound that holds exactly where trunc(x) < c, for an integer c. */
const below = (c: number): Bound => (c > 0 ? ["less", c] : ["less-or-equal", c - 1]);
/** The same for trunc(x) > c: the complement of trunc(x) ≤ c, which is trunc(x) < c + 1. */
const above = (c: number): Bound => (c < 0 ? ["greater", c] : ["greater-or-equal", c + 1]);
type Bound = readonly [kind: string, bound: number];

const bounds: Readonly<Record<string, (c: number) => readonly Bound[]>> = {
  less: (c) => [below(c)],
  "less-or-equal": (c) => [below(c + 1)],
  greater: (c) => [above(c)],
  "greater-or-equal": (c) => [above(c - 1)],
  equal: (c) => [above(c - 1), below(c + 1)],
};

/**
 * A comparison of a real number that is cast to an integer with a public integer, as comparisons of the number itself:
 * no protocol rounds toward zero. Undefined where the operands are others.
 */
export function compareTruncated(op: Op, draft: Draft): ValueId | undefined {
  const [x, y] = op.operands as [ValueId, ValueId];
  const kind = String(op.attrs.kind);
  const from = (cast: ValueId, number: ValueId, relation: string): ValueId | undefined => {
    const made = draft.producer(cast);
    const c = publicInteger(draft, number);
    const isReal = made?.name === "cast" && draft.type(made.operands[0]!).element.kind === "f32";
    if (!isReal || made.attrs.to !== "i64" || c === undefined) return undefined;
    const parts = bounds[relation]!(c).map(([each, bound], k) =>
      draft.emit("compare", [made.operands[0]!, publicScalar(draft, bound)], { kind: each }, `${op.result}.bound_${k}`),
    );
    return parts.reduce((all, part) => draft.emit("logic", [all, part], { kind: "and" }, `${op.result}.both`));
  };
  return from(x, y, kind) ?? from(y, x, mirroredComparison[kind]!);
}

/** The one integer of a public param; undefined for another value, or one that would change the result's shape. */
function publicInteger(draft: Draft, id: ValueId): number | undefined {
  if (!draft.isParam(id) || draft.type(id).label !== "public") return undefined;
  const { data, shape } = draft.weight(id);
  const isScalar = data.length === 1 && shape.length <= 1;
  return isScalar && Number.isInteger(data[0]) ? data[0] : undefined;
}
