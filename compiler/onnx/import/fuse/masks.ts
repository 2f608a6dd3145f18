import type { ValueId } from "../../../../ir/module.ts";
import { expandTo } from "../../../../ir/ops/helpers/tensors.ts";
import type { Tensor } from "../../../../ir/weights.ts";
import { absentScore } from "../../weights/index.ts";
import type { Matcher, Recogniser } from "./match.ts";

/** Which scores exist, as attributes of attention: see ir/ops/attention.ts. */
interface Reach {
  readonly causal: boolean;
  /** 0: no limit. */
  readonly window: number;
}
/** What is left of a mask once its reach is attributes: nothing, the same value, or a smaller one. */
interface Rest extends Reach {
  readonly mask: ValueId | undefined;
}
interface Frame {
  readonly rows: number;
  readonly columns: number;
}
const everything: Reach = { causal: false, window: 0 };

/** Scores that exist under all of them. */
function meet(all: readonly Reach[]): Reach {
  const windows = all.flatMap(({ window }) => (window > 0 ? [window] : []));
  return { causal: all.some(({ causal }) => causal), window: windows.length > 0 ? Math.min(...windows) : 0 };
}

/** The least reach that holds all scores that exist; `whole`: whether all of it exists, so that the mask says no more. */
function compare(
  tensor: Tensor,
  { rows, columns }: Frame,
  exists: (x: number) => boolean,
  absent: (x: number) => boolean,
): Reach & { readonly whole: boolean } {
  const full = expandTo(tensor, [...tensor.shape.slice(0, -2), rows, columns]).data;
  /** How many places a score looks back; negative: into the future. */
  const back = (at: number): number => (Math.floor(at / columns) % rows) + (columns - rows) - (at % columns);
  // The triangle of one row, or of none, shuts nothing.
  const causal = rows > 1 && full.every((value, at) => back(at) >= 0 || absent(value));
  const furthest = full.reduce((most, value, at) => (absent(value) ? most : Math.max(most, back(at))), 0);
  const window = furthest + 1 < columns ? furthest + 1 : 0;
  const within = (at: number): boolean => (!causal || back(at) >= 0) && (window === 0 || back(at) < window);
  const whole = full.every((value, at) => !within(at) || exists(value));
  // A window that is not all of it would be one more thing to state beside the mask.
  return { causal, window: whole ? window : 0, whole };
}

/** Conditions that must all hold, constants that the reach implies left out. */
function conditions(matcher: Matcher, id: ValueId, frame: Frame): Reach & { rest: ValueId[]; changed: boolean } {
  const known = matcher.constant(id);
  if (known) {
    const { whole, ...reach } = compare(
      known,
      frame,
      (x) => x !== 0,
      (x) => x === 0,
    );
    return { ...reach, rest: whole ? [] : [id], changed: whole };
  }
  const both = matcher.made(id, "logic");
  if (both?.attrs.kind === "and") {
    const parts = both.operands.map((operand) => conditions(matcher, operand, frame));
    return { ...meet(parts), rest: parts.flatMap((part) => part.rest), changed: parts.some((part) => part.changed) };
  }
  // Attention broadcasts its mask by itself.
  const expand = matcher.made(id, "expand");
  if (expand) return { ...conditions(matcher, expand.operands[0]!, frame), changed: true };
  return { ...everything, rest: [id], changed: false };
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
  const same: Rest = { causal: shutsFuture(matcher, id, frame) && frame.rows > 1, window: 0, mask: id };
  const known = matcher.constant(id);
  if (known) {
    const { whole, ...reach } = compare(
      known,
      frame,
      (x) => x === 0,
      (x) => x <= absentScore,
    );
    return { ...reach, mask: whole ? undefined : id };
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
    const reach = meet(parts);
    const idle = kept.length === 2 && kept.every((mask, place) => mask === sum.operands[place]);
    if (idle) return { ...reach, mask: id };
    return { ...reach, mask: kept.length === 2 ? matcher.emit("add", kept) : kept[0] };
  }
  const choice = matcher.made(id, "where");
  if (!choice) return same;
  const [condition, zero, absent] = choice.operands as [ValueId, ValueId, ValueId];
  if (matcher.scalar(zero) !== 0 || !((matcher.scalar(absent) ?? 0) <= absentScore)) return same;
  const { rest, changed, ...reach } = conditions(matcher, condition, frame);
  if (!changed) return { ...reach, mask: id };
  if (rest.length === 0) return { ...reach, mask: undefined };
  const all = rest.reduce((a, b) => matcher.emit("logic", [a, b], { kind: "and" }));
  return { ...reach, mask: matcher.emit("where", [all, zero, absent]) };
}

// A score that does not exist and one whose weight underflows are the same to a row that has another one.
const causalMask: Recogniser = {
  name: "causal-mask",
  law: "attention(q, k, v, causal ∧ window ∧ m) = attention(q, k, v, m, causal, window) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined) return undefined;
    const [q, k, v] = op.operands as [ValueId, ValueId, ValueId];
    const frame = { rows: matcher.type(q).shape[2]!, columns: matcher.type(k).shape[2]! };
    const found = simplify(matcher, mask, frame);
    const { causal, window } = meet([
      found,
      { causal: op.attrs.causal === true, window: Number(op.attrs.window ?? 0) },
    ]);
    if (found.mask === mask && causal === op.attrs.causal && window === (op.attrs.window ?? 0)) return undefined;
    const operands = found.mask === undefined ? [q, k, v] : [q, k, v, found.mask];
    return matcher.emit("attention", operands, { ...op.attrs, causal, window });
  },
};

/** A mask that is known to stay above the absent score, or that nobody alone knows: a comparison would cost what it saves. */
function isClamped(matcher: Matcher, id: ValueId): boolean {
  const clip = matcher.made(id, "clip");
  if (clip) return (clip.attrs.lo as number) >= absentScore;
  const known = matcher.constant(id);
  if (known) return known.data.every((x) => x >= absentScore);
  const inner = matcher.made(id, "expand") ?? matcher.made(id, "reshape");
  if (inner) return isClamped(matcher, inner.operands[0]!);
  const choice = matcher.made(id, "where");
  if (choice?.operands.slice(1).every((operand) => isClamped(matcher, operand))) return true;
  const sum = matcher.made(id, "add");
  if (sum) return sum.operands.every((operand) => isClamped(matcher, operand));
  const { label } = matcher.type(id);
  return label === "shared" || label === "server";
}

/** Each term of a sum by itself, as biases of places that are weights stand beside what shuts scores. */
function clamped(matcher: Matcher, id: ValueId): ValueId {
  if (isClamped(matcher, id)) return id;
  const sum = matcher.made(id, "add");
  return sum
    ? matcher.emit(
        "add",
        sum.operands.map((operand) => clamped(matcher, operand)),
      )
    : matcher.emit("clip", [id], { lo: absentScore });
}

// exp(−10⁴ + s) is 0 beside any other score of the row, as exp(−3.4·10³⁸ + s) is.
const clampMask: Recogniser = {
  name: "clamp-mask",
  law: "attention(q, k, v, m + n) = attention(q, k, v, max(m, −10⁴) + max(n, −10⁴)) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined || isClamped(matcher, mask)) return undefined;
    return matcher.emit("attention", [...op.operands.slice(0, 3), clamped(matcher, mask)], op.attrs);
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

const ordered: ReadonlySet<string> = new Set(["rank", "arrange", "argmax", "reduce-max"]);

// What is to be chosen last is −∞ to an exporter; no number that a program holds among others is below −10⁴.
const clampOrder: Recogniser = {
  name: "clamp-order",
  law: "rank(where(c, x, −∞)) = rank(where(c, x, −10⁴)) for x above −10⁴; as much of the greatest, where c holds somewhere",
  match: (op, { made, constant, emit }) => {
    if (!ordered.has(op.name)) return undefined;
    const isLow = (id: ValueId): boolean => constant(id)?.data.some((x) => x < absentScore) ?? false;
    const operands = op.operands.map((id) => {
      const choice = made(id, "where");
      if (!choice?.operands.slice(1).some(isLow)) return id;
      const [condition, ...sides] = choice.operands as [ValueId, ...ValueId[]];
      const raised = sides.map((side) => (isLow(side) ? emit("clip", [side], { lo: absentScore }) : side));
      return emit("where", [condition, ...raised]);
    });
    return operands.some((id, place) => id !== op.operands[place]) ? emit(op.name, operands, op.attrs) : undefined;
  },
};

export const maskRecognisers: readonly Recogniser[] = [causalMask, clampMask, clampChoice, clampOrder];
