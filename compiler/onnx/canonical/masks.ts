import type { ValueId } from "../../../ir/module.ts";
import { expandTo } from "../../../ir/ops/helpers/tensors.ts";
import type { Tensor } from "../../../ir/weights.ts";
import { absentScore } from "../absent-score.ts";
import type { Matcher, Recogniser } from "./match.ts";

/** What is left of a mask once the causal part is an attribute: nothing, the same value, or a smaller one. */
interface Rest {
  readonly causal: boolean;
  readonly mask: ValueId | undefined;
}
interface Frame {
  readonly rows: number;
  readonly columns: number;
}

/** How a constant mask stands to the causal triangle: score (i, j) exists iff j ≤ i + (T − S). */
function compare(
  tensor: Tensor,
  { rows, columns }: Frame,
  exists: (x: number) => boolean,
  absent: (x: number) => boolean,
) {
  const lead = tensor.shape.slice(0, -2);
  const full = expandTo(tensor, [...lead, rows, columns]).data;
  let [insideOpen, outsideShut, insideAll] = [true, true, true];
  full.forEach((value, at) => {
    const future = at % columns > (Math.floor(at / columns) % rows) + (columns - rows);
    if (future) {
      outsideShut &&= absent(value);
      insideAll &&= exists(value);
    } else insideOpen &&= exists(value);
  });
  // The triangle of one row, or of none, shuts nothing.
  return { causal: outsideShut && rows > 1, nothingElse: insideOpen, open: insideOpen && insideAll };
}

/** Conditions that must all hold, constants that causality implies left out. */
function conditions(
  matcher: Matcher,
  id: ValueId,
  frame: Frame,
): { causal: boolean; rest: ValueId[]; changed: boolean } {
  const known = matcher.constant(id);
  if (known) {
    const found = compare(
      known,
      frame,
      (x) => x !== 0,
      (x) => x === 0,
    );
    const gone = found.open || (found.causal && found.nothingElse);
    return { causal: found.causal && !found.open, rest: gone ? [] : [id], changed: gone };
  }
  const both = matcher.made(id, "logic");
  if (both?.attrs.kind === "and") {
    const parts = both.operands.map((operand) => conditions(matcher, operand, frame));
    const causal = parts.some((part) => part.causal);
    return { causal, rest: parts.flatMap((part) => part.rest), changed: parts.some((part) => part.changed) };
  }
  // Attention broadcasts its mask by itself.
  const expand = matcher.made(id, "expand");
  if (expand) return { ...conditions(matcher, expand.operands[0]!, frame), changed: true };
  return { causal: false, rest: [id], changed: false };
}

/** Whether a mask is absent wherever causality says so, whatever its conditions are. */
function shutsFuture(matcher: Matcher, id: ValueId, frame: Frame): boolean {
  const known = matcher.constant(id);
  if (known) {
    const shut = (x: number): boolean => x <= absentScore;
    return known.data.every(shut) || compare(known, frame, (x) => x === 0, shut).causal;
  }
  const choice = matcher.made(id, "where");
  return choice?.operands.slice(1).every((side) => shutsFuture(matcher, side, frame)) ?? false;
}

function simplify(matcher: Matcher, id: ValueId, frame: Frame): Rest {
  const same: Rest = { causal: shutsFuture(matcher, id, frame) && frame.rows > 1, mask: id };
  const known = matcher.constant(id);
  if (known) {
    const found = compare(
      known,
      frame,
      (x) => x === 0,
      (x) => x <= absentScore,
    );
    return {
      causal: found.causal && !found.open,
      mask: found.open || (found.causal && found.nothingElse) ? undefined : id,
    };
  }
  const expand = matcher.made(id, "expand");
  if (expand) return simplify(matcher, expand.operands[0]!, frame);
  const clip = matcher.made(id, "clip");
  if (clip) {
    const inner = simplify(matcher, clip.operands[0]!, frame);
    return inner.mask === clip.operands[0] || inner.mask === undefined ? { ...inner, mask: inner.mask && id } : inner;
  }
  const sum = matcher.made(id, "add");
  if (sum) {
    const parts = sum.operands.map((operand) => simplify(matcher, operand, frame));
    const kept = parts.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
    const causal = parts.some((part) => part.causal);
    const idle = kept.length === 2 && kept.every((mask, place) => mask === sum.operands[place]);
    if (idle) return { causal, mask: id };
    return { causal, mask: kept.length === 2 ? matcher.emit("add", kept) : kept[0] };
  }
  const choice = matcher.made(id, "where");
  if (!choice) return same;
  const [condition, zero, absent] = choice.operands as [ValueId, ValueId, ValueId];
  if (matcher.scalar(zero) !== 0 || !((matcher.scalar(absent) ?? 0) <= absentScore)) return same;
  const { causal, rest, changed } = conditions(matcher, condition, frame);
  if (!changed) return { causal, mask: id };
  if (rest.length === 0) return { causal, mask: undefined };
  const all = rest.reduce((a, b) => matcher.emit("logic", [a, b], { kind: "and" }));
  return { causal, mask: matcher.emit("where", [all, zero, absent]) };
}

// A score that does not exist and one whose weight underflows are the same to a row that has another one.
const causalMask: Recogniser = {
  name: "causal-mask",
  law: "attention(q, k, v, causal ∧ m) = attention(q, k, v, m, causal) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined) return undefined;
    const [q, k, v] = op.operands as [ValueId, ValueId, ValueId];
    const frame = { rows: matcher.type(q).shape[2]!, columns: matcher.type(k).shape[2]! };
    const found = simplify(matcher, mask, frame);
    const causal = op.attrs.causal === true || found.causal;
    if (found.mask === mask && causal === op.attrs.causal) return undefined;
    const operands = found.mask === undefined ? [q, k, v] : [q, k, v, found.mask];
    return matcher.emit("attention", operands, { ...op.attrs, causal });
  },
};

/** A mask that is known to stay above the absent score. */
function isClamped(matcher: Matcher, id: ValueId): boolean {
  const clip = matcher.made(id, "clip");
  if (clip) return (clip.attrs.lo as number) >= absentScore;
  const known = matcher.constant(id);
  if (known) return known.data.every((x) => x >= absentScore);
  const inner = matcher.made(id, "expand") ?? matcher.made(id, "reshape");
  if (inner) return isClamped(matcher, inner.operands[0]!);
  const choice = matcher.made(id, "where");
  return choice?.operands.slice(1).every((operand) => isClamped(matcher, operand)) ?? false;
}

// exp(−10⁴ + s) is 0 beside any other score of the row, as exp(−3.4·10³⁸ + s) is.
const clampMask: Recogniser = {
  name: "clamp-mask",
  law: "attention(q, k, v, m) = attention(q, k, v, max(m, −10⁴)) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    // A comparison on a shared mask would cost what it saves.
    if (mask === undefined || matcher.type(mask).label === "shared" || isClamped(matcher, mask)) return undefined;
    const clamped = matcher.emit("clip", [mask], { lo: absentScore });
    return matcher.emit("attention", [...op.operands.slice(0, 3), clamped], op.attrs);
  },
};

// Both sides of a choice can be clamped before it is made.
const clampChoice: Recogniser = {
  name: "clamp-choice",
  law: "clip(where(c, x, y)) = where(c, clip(x), clip(y))",
  match: (op, { made, constant, emit }) => {
    const choice = op.name === "clip" ? made(op.operands[0]!, "where") : undefined;
    if (!choice?.operands.slice(1).every((operand) => constant(operand))) return undefined;
    const [condition, ...sides] = choice.operands as [ValueId, ...ValueId[]];
    return emit("where", [condition, ...sides.map((side) => emit("clip", [side], op.attrs))]);
  },
};

export const maskRecognisers: readonly Recogniser[] = [causalMask, clampMask, clampChoice];
