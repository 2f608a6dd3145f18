import type { ValueId } from "../../../../ir/module.ts";
import { expandTo } from "../../../../ir/ops/helpers/tensors.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { maskedScore } from "../../weights/index.ts";
import type { Fusion, FusionMatcher } from "./matcher.ts";

/** Which scores exist, as attributes of attention: see ir/ops/attention.ts. */
interface MaskReach {
  readonly causal: boolean;
  /** 0: no limit. */
  readonly window: number;
}
/** The rest of a mask after its reach becomes attributes: nothing, the same value, or a smaller one. */
interface RemainingMask extends MaskReach {
  readonly mask: ValueId | undefined;
}
interface MaskShape {
  readonly rows: number;
  readonly columns: number;
}
const unrestricted: MaskReach = { causal: false, window: 0 };

/** Scores that exist under all of them. */
function intersect(all: readonly MaskReach[]): MaskReach {
  const windows = all.flatMap(({ window }) => (window > 0 ? [window] : []));
  return { causal: all.some(({ causal }) => causal), window: windows.length > 0 ? Math.min(...windows) : 0 };
}

/**
 * The smallest reach that contains all existing scores; `whole`: whether every score in it exists, so that the mask
 * adds nothing.
 */
function compareWithReach(
  tensor: Tensor,
  { rows, columns }: MaskShape,
  exists: (x: number) => boolean,
  absent: (x: number) => boolean,
): MaskReach & { readonly whole: boolean } {
  const full = expandTo(tensor, [...tensor.shape.slice(0, -2), rows, columns]).data;
  /** How many positions a score looks back; negative: into the future. */
  const back = (at: number): number => (Math.floor(at / columns) % rows) + (columns - rows) - (at % columns);
  // The triangle of one row, or of none, masks nothing.
  const causal = rows > 1 && full.every((value, at) => back(at) >= 0 || absent(value));
  const furthest = full.reduce((most, value, at) => (absent(value) ? most : Math.max(most, back(at))), 0);
  const window = furthest + 1 < columns ? furthest + 1 : 0;
  const within = (at: number): boolean => (!causal || back(at) >= 0) && (window === 0 || back(at) < window);
  const whole = full.every((value, at) => !within(at) || exists(value));
  // A window that does not replace the whole mask would be one more attribute beside it.
  return { causal, window: whole ? window : 0, whole };
}

/** Conditions that must all hold, without constants that the reach implies. */
function maskConditions(
  matcher: FusionMatcher,
  id: ValueId,
  frame: MaskShape,
): MaskReach & { rest: ValueId[]; changed: boolean } {
  const known = matcher.constant(id);
  if (known) {
    const { whole, ...reach } = compareWithReach(
      known,
      frame,
      (x) => x !== 0,
      (x) => x === 0,
    );
    return { ...reach, rest: whole ? [] : [id], changed: whole };
  }
  const both = matcher.producer(id, "logic");
  if (both?.attrs.kind === "and") {
    const parts = both.operands.map((operand) => maskConditions(matcher, operand, frame));
    return {
      ...intersect(parts),
      rest: parts.flatMap((part) => part.rest),
      changed: parts.some((part) => part.changed),
    };
  }
  // Attention broadcasts its mask itself.
  const expand = matcher.producer(id, "expand");
  if (expand) return { ...maskConditions(matcher, expand.operands[0]!, frame), changed: true };
  return { ...unrestricted, rest: [id], changed: false };
}

/** Whether a mask masks every score that causality forbids, whatever its conditions are. */
function isCausalCondition(matcher: FusionMatcher, id: ValueId, frame: MaskShape): boolean {
  const known = matcher.constant(id);
  if (known) {
    const isMasked = (x: number): boolean => x <= maskedScore;
    return known.data.every(isMasked) || compareWithReach(known, frame, (x) => x === 0, isMasked).causal;
  }
  const choice = matcher.producer(id, "where");
  return choice?.operands.slice(1).every((side) => isCausalCondition(matcher, side, frame)) ?? false;
}

function simplifyMask(matcher: FusionMatcher, id: ValueId, frame: MaskShape): RemainingMask {
  const same: RemainingMask = { causal: isCausalCondition(matcher, id, frame) && frame.rows > 1, window: 0, mask: id };
  const known = matcher.constant(id);
  if (known) {
    const { whole, ...reach } = compareWithReach(
      known,
      frame,
      (x) => x === 0,
      (x) => x <= maskedScore,
    );
    return { ...reach, mask: whole ? undefined : id };
  }
  const expand = matcher.producer(id, "expand");
  if (expand) return simplifyMask(matcher, expand.operands[0]!, frame);
  const clip = matcher.producer(id, "clip");
  if (clip) {
    const inner = simplifyMask(matcher, clip.operands[0]!, frame);
    return inner.mask === clip.operands[0] || inner.mask === undefined ? { ...inner, mask: inner.mask && id } : inner;
  }
  const sum = matcher.producer(id, "add");
  if (sum) {
    const parts = sum.operands.map((operand) => simplifyMask(matcher, operand, frame));
    const kept = parts.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
    const reach = intersect(parts);
    const idle = kept.length === 2 && kept.every((mask, index) => mask === sum.operands[index]);
    if (idle) return { ...reach, mask: id };
    return { ...reach, mask: kept.length === 2 ? matcher.emit("add", kept) : kept[0] };
  }
  const choice = matcher.producer(id, "where");
  if (!choice) return same;
  const [condition, zero, absent] = choice.operands as [ValueId, ValueId, ValueId];
  if (matcher.scalar(zero) !== 0 || !((matcher.scalar(absent) ?? 0) <= maskedScore)) return same;
  const { rest, changed, ...reach } = maskConditions(matcher, condition, frame);
  if (!changed) return { ...reach, mask: id };
  if (rest.length === 0) return { ...reach, mask: undefined };
  const all = rest.reduce((a, b) => matcher.emit("logic", [a, b], { kind: "and" }));
  return { ...reach, mask: matcher.emit("where", [all, zero, absent]) };
}

// A row with another score cannot distinguish a missing score from one whose weight underflows.
const causalMask: Fusion = {
  name: "causal-mask",
  law: "attention(q, k, v, causal ∧ window ∧ m) = attention(q, k, v, m, causal, window) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined) return undefined;
    const [q, k, v] = op.operands as [ValueId, ValueId, ValueId];
    const frame = { rows: matcher.type(q).shape[2]!, columns: matcher.type(k).shape[2]! };
    const found = simplifyMask(matcher, mask, frame);
    const { causal, window } = intersect([
      found,
      { causal: op.attrs.causal === true, window: Number(op.attrs.window ?? 0) },
    ]);
    if (found.mask === mask && causal === op.attrs.causal && window === (op.attrs.window ?? 0)) return undefined;
    const operands = found.mask === undefined ? [q, k, v] : [q, k, v, found.mask];
    return matcher.emit("attention", operands, { ...op.attrs, causal, window });
  },
};

/** Whether a mask is known to stay above the masked score, or is shared: then a comparison would cost what it saves. */
function isClamped(matcher: FusionMatcher, id: ValueId): boolean {
  const clip = matcher.producer(id, "clip");
  if (clip) return (clip.attrs.lo as number) >= maskedScore;
  const known = matcher.constant(id);
  if (known) return known.data.every((x) => x >= maskedScore);
  const inner = matcher.producer(id, "expand") ?? matcher.producer(id, "reshape");
  if (inner) return isClamped(matcher, inner.operands[0]!);
  const choice = matcher.producer(id, "where");
  if (choice?.operands.slice(1).every((operand) => isClamped(matcher, operand))) return true;
  const sum = matcher.producer(id, "add");
  if (sum) return sum.operands.every((operand) => isClamped(matcher, operand));
  const { label } = matcher.type(id);
  return label === "shared" || label === "server";
}

/** Clamps each term of a sum by itself: position biases that are weights may stand beside a mask. */
function clampMaskTerms(matcher: FusionMatcher, id: ValueId): ValueId {
  if (isClamped(matcher, id)) return id;
  const sum = matcher.producer(id, "add");
  return sum
    ? matcher.emit(
        "add",
        sum.operands.map((operand) => clampMaskTerms(matcher, operand)),
      )
    : matcher.emit("clip", [id], { lo: maskedScore });
}

// exp(−10⁴ + s) is 0 beside any other score of the row, as exp(−3.4·10³⁸ + s) is.
const clampMask: Fusion = {
  name: "clamp-mask",
  law: "attention(q, k, v, m + n) = attention(q, k, v, max(m, −10⁴) + max(n, −10⁴)) for rows with at least one score left",
  match: (op, matcher) => {
    const mask = op.name === "attention" ? op.operands[3] : undefined;
    if (mask === undefined || isClamped(matcher, mask)) return undefined;
    return matcher.emit("attention", [...op.operands.slice(0, 3), clampMaskTerms(matcher, mask)], op.attrs);
  },
};

// Both branches of a choice can be clamped before the choice.
const clampWhere: Fusion = {
  name: "clamp-where",
  law: "clip(where(c, x, y)) = where(c, clip(x), clip(y))",
  match: (op, { producer, constant, emit }) => {
    const choice = op.name === "clip" ? producer(op.operands[0]!, "where") : undefined;
    if (!choice?.operands.slice(1).every((operand) => constant(operand))) return undefined;
    const [condition, ...sides] = choice.operands as [ValueId, ...ValueId[]];
    return emit("where", [condition, ...sides.map((side) => emit("clip", [side], op.attrs))]);
  },
};

const orderOperators: ReadonlySet<string> = new Set(["rank", "select-by-rank", "argmax", "reduce-max"]);

// Exporters give the elements that must rank last −∞; no value that a program holds among others is below −10⁴.
const clampOrder: Fusion = {
  name: "clamp-order",
  law: "rank(where(c, x, −∞)) = rank(where(c, x, −10⁴)) for x above −10⁴; as much of the greatest, where c holds somewhere",
  match: (op, { producer, constant, emit }) => {
    if (!orderOperators.has(op.name)) return undefined;
    const isLow = (id: ValueId): boolean => constant(id)?.data.some((x) => x < maskedScore) ?? false;
    const operands = op.operands.map((id) => {
      const choice = producer(id, "where");
      if (!choice?.operands.slice(1).some(isLow)) return id;
      const [condition, ...sides] = choice.operands as [ValueId, ...ValueId[]];
      const raised = sides.map((side) => (isLow(side) ? emit("clip", [side], { lo: maskedScore }) : side));
      return emit("where", [condition, ...raised]);
    });
    return operands.some((id, index) => id !== op.operands[index]) ? emit(op.name, operands, op.attrs) : undefined;
  },
};

export const maskFusions: readonly Fusion[] = [causalMask, clampMask, clampWhere, clampOrder];
