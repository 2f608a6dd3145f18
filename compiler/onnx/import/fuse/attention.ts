import type { ValueId } from "../../../../ir/module.ts";
import { sameShape } from "../../../../ir/type.ts";
import { maskedScore } from "../../weights/index.ts";
import { headFusions } from "./heads.ts";
import { type Fusion, type FusionMatcher, matchScaled, operandPairs, type ScaledValue } from "./matcher.ts";

interface ScoreTerms {
  readonly q: ValueId;
  /** [… D, T] */
  readonly keys: ValueId;
  readonly scale: number;
  readonly masks: readonly ScoreMask[];
}
/** Added to the scores; or a condition, with the value that replaces a score where it fails. */
type ScoreMask = { readonly added: ValueId } | { readonly exists: ValueId; readonly absent: ValueId };

/** Matches scores as scale · q·kᵀ plus masks; undefined for any other form. */
function matchScores(matcher: FusionMatcher, id: ValueId): ScoreTerms | undefined {
  const op = matcher.definer(id);
  if (op?.name === "matmul") return { q: op.operands[0]!, keys: op.operands[1]!, scale: 1, masks: [] };
  const scaled = matchScaled(matcher, id);
  if (scaled) {
    const inner = matchScores(matcher, scaled.of);
    // A mask below the scale is scaled too, and must still mask the same scores.
    if (!inner || (inner.masks.length > 0 && scaled.factor <= 0)) return undefined;
    const masks = inner.masks.map((mask) =>
      "added" in mask ? { added: matcher.emit(op!.name, [mask.added, scaled.by]) } : mask,
    );
    return { ...inner, scale: inner.scale * scaled.factor, masks };
  }
  if (op?.name === "maximum") {
    // A masked score stays masked.
    for (const [of, least] of operandPairs(op)) {
      if ((matcher.scalar(least) ?? 0) <= maskedScore) return matchScores(matcher, of);
    }
  }
  if (op?.name === "add") {
    for (const [of, added] of operandPairs(op)) {
      const inner = matchScores(matcher, of);
      if (inner) return { ...inner, masks: [...inner.masks, { added }] };
    }
  }
  if (op?.name === "where") {
    const [exists, of, absent] = op.operands as [ValueId, ValueId, ValueId];
    const inner = (matcher.scalar(absent) ?? 0) <= maskedScore ? matchScores(matcher, of) : undefined;
    return inner && { ...inner, masks: [...inner.masks, { exists, absent }] };
  }
  return undefined;
}

function transposedKeys(matcher: FusionMatcher, id: ValueId): ValueId {
  const inner = matcher.producer(id, "transpose");
  const axes = [...matcher.type(id).shape.keys()];
  const order = (inner?.attrs.perm as readonly number[] | undefined) ?? axes;
  const perm = [...order.slice(0, -2), order.at(-1)!, order.at(-2)!];
  const source = inner?.operands[0] ?? id;
  return perm.every((axis, index) => axis === index) ? source : matcher.emit("transpose", [source], { perm });
}

/** One additive mask: 0 or the masked score where it was a condition. */
function addedMask({ emit }: FusionMatcher, masks: readonly ScoreMask[]): ValueId | undefined {
  const terms = masks.map((mask) =>
    "added" in mask
      ? mask.added
      : emit("mul", [emit("cast", [emit("not", [mask.exists])], { to: "f32" }), mask.absent]),
  );
  return terms.reduce<ValueId | undefined>(
    (sum, term) => (sum === undefined ? term : emit("add", [sum, term])),
    undefined,
  );
}

/** The operand of a softmax over the last axis, if the value is one. */
function softmaxBefore({ producer, type }: FusionMatcher, id: ValueId): ValueId | undefined {
  const softmax = producer(id, "softmax");
  const rank = type(id).shape.length;
  return softmax && (softmax.attrs.axis === -1 || softmax.attrs.axis === rank - 1) ? softmax.operands[0]! : undefined;
}

// A batch of three axes is attention with one head each.
const attention: Fusion = {
  name: "attention",
  law: "softmax(scale · q·kᵀ + mask) · v = attention(q, k, v, mask)",
  match: (op, matcher) => {
    if (op.name !== "matmul") return undefined;
    const input = softmaxBefore(matcher, op.operands[0]!);
    const scores = input === undefined ? undefined : matchScores(matcher, input);
    if (!scores) return undefined;
    const { type, emit } = matcher;
    const v = op.operands[1]!;
    const shapes = [scores.q, scores.keys, v].map((id) => type(id).shape);
    const rank = shapes[0]!.length;
    const equal = shapes.every(
      (shape) => shape.length === rank && shape.slice(0, -2).every((n, i) => n === shapes[0]![i]),
    );
    const masks = addedMask(matcher, scores.masks);
    const deep = masks !== undefined && type(masks).shape.length > rank;
    if (!equal || deep || (rank !== 4 && rank !== 3)) return undefined;
    const lifted = (id: ValueId): ValueId => {
      const { shape } = type(id);
      return shape.length === 3 && rank === 3
        ? emit("reshape", [id], { shape: [shape[0]!, 1, ...shape.slice(1)] })
        : id;
    };
    const operands = [scores.q, transposedKeys(matcher, scores.keys), v, ...(masks === undefined ? [] : [masks])].map(
      lifted,
    );
    const y = emit("attention", operands, { scale: scores.scale });
    return rank === 3 ? emit("reshape", [y], { shape: type(op.result).shape }) : y;
  },
};

// (c·q)·kᵀ = q·(c·k)ᵀ = c · q·kᵀ
const foldScale: Fusion = {
  name: "attention-scale",
  law: "attention(c · q, d · k, v, scale) = attention(q, k, v, c · d · scale)",
  match: (op, matcher) => {
    if (op.name !== "attention") return undefined;
    const [q, k, ...rest] = op.operands as [ValueId, ValueId, ...ValueId[]];
    const [left, right] = [matchScaled(matcher, q), scaledThrough(matcher, k)];
    if (!left && !right) return undefined;
    const scale = (op.attrs.scale as number) * (left?.factor ?? 1) * (right?.factor ?? 1);
    return matcher.emit("attention", [left?.of ?? q, right?.of ?? k, ...rest], { ...op.attrs, scale });
  },
};

/** A scalar factor, also below a transposition. */
function scaledThrough(matcher: FusionMatcher, id: ValueId): Omit<ScaledValue, "by"> | undefined {
  const direct = matchScaled(matcher, id);
  const turned = matcher.producer(id, "transpose");
  const inner = turned && matchScaled(matcher, turned.operands[0]!);
  if (direct || !turned || !inner) return direct;
  return { of: matcher.emit("transpose", [inner.of], turned.attrs), factor: inner.factor };
}

/** [B, G, T, D] where the value repeats each of its G heads: unsqueeze, expand, reshape. */
function repeatedHeads({ producer, type, emit }: FusionMatcher, id: ValueId): ValueId | undefined {
  const merge = producer(id, "reshape");
  const expand = merge && producer(merge.operands[0]!, "expand");
  if (!expand) return undefined;
  const [small, wide] = [type(expand.operands[0]!).shape, type(expand.result).shape];
  const [batch, groups, one, length, depth] = small;
  const fits =
    small.length === 5 &&
    one === 1 &&
    wide.join() === [batch, groups, wide[2], length, depth].join() &&
    type(id).shape.join() === [batch, groups! * wide[2]!, length, depth].join();
  if (!fits) return undefined;
  const shape = [batch!, groups!, length!, depth!];
  // Heads that were merged before come through other reshapes, so the values decide.
  const source = producer(expand.operands[0]!, "reshape")?.operands[0];
  const whole = source !== undefined && sameShape(type(source).shape, shape);
  return whole ? source : emit("reshape", [expand.operands[0]!], { shape });
}

// Query head h of H uses key head floor(h · G / H): attention repeats key heads itself.
const groupHeads: Fusion = {
  name: "attention-groups",
  law: "attention(q, repeat(k), repeat(v)) = attention(q, k, v)",
  match: (op, matcher) => {
    if (op.name !== "attention") return undefined;
    const [q, k, v, ...mask] = op.operands as [ValueId, ValueId, ValueId, ...ValueId[]];
    const [keys, values] = [repeatedHeads(matcher, k), repeatedHeads(matcher, v)];
    if (keys === undefined || values === undefined) return undefined;
    if (matcher.type(keys).shape[1] !== matcher.type(values).shape[1]) return undefined;
    return matcher.emit("attention", [q, keys, values, ...mask], op.attrs);
  },
};

// A mask that was scaled with its scores becomes a choice again.
const scaledWhere: Fusion = {
  name: "scaled-where",
  law: "k · where(c, x, y) = where(c, k · x, k · y)",
  match: (op, matcher) => {
    const scaled = matchScaled(matcher, op.result);
    const choice = scaled && matcher.producer(scaled.of, "where");
    if (!choice?.operands.slice(1).every((side) => matcher.scalar(side) !== undefined)) return undefined;
    const [condition, ...sides] = choice.operands as [ValueId, ...ValueId[]];
    return matcher.emit("where", [condition, ...sides.map((side) => matcher.emit(op.name, [side, scaled!.by]))]);
  },
};

export const attentionFusions: readonly Fusion[] = [...headFusions, attention, foldScale, groupHeads, scaledWhere];
