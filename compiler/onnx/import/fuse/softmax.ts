import type { Op, ValueId } from "../../../../ir/module.ts";
import { axesOf } from "../../../../ir/ops/helpers/shapes.ts";
import { type Shape, sameShape } from "../../../../ir/type.ts";
import { type Fusion, type FusionMatcher, operandPairs } from "./matcher.ts";

/** The shape without its leading axes of size 1, which broadcasting adds. */
const core = (shape: Shape): Shape => shape.slice(shape.findIndex((size) => size !== 1));
const isOnes = (shape: Shape): boolean => shape.every((size) => size === 1);
const broadcastsAs = (shape: Shape, other: Shape): boolean =>
  isOnes(other) ? isOnes(shape) : sameShape(core(shape), core(other));

/** The value before it was repeated along axes of size 1, or given other such axes. */
function beforeExpand(id: ValueId, { producer }: FusionMatcher): ValueId {
  const expand = producer(id, "expand");
  return expand ? expand.operands[0]! : id;
}

/** The axis along which s is the sum of e, broadcast to each element of e. */
function summedAxis(s: ValueId, e: ValueId, matcher: FusionMatcher): number | undefined {
  const { producer, type } = matcher;
  const spread = beforeExpand(s, matcher);
  const reshape = producer(spread, "reshape");
  const sum = producer(reshape ? reshape.operands[0]! : spread, "reduce-sum");
  if (sum?.operands[0] !== e) return undefined;
  const { shape } = type(e);
  const [axis, ...more] = axesOf(sum.attrs.axes as readonly number[], shape.length);
  if (axis === undefined || more.length > 0) return undefined;
  return broadcastsAs(type(spread).shape, shape.with(axis, 1)) ? axis : undefined;
}

/** x, if z = x − c for a c that is the same along the axis. */
function beforeShift(z: ValueId, axis: number, matcher: FusionMatcher): ValueId | undefined {
  const { producer, type } = matcher;
  const [x, c] = producer(z, "sub")?.operands ?? [];
  const { shape } = type(z);
  if (x === undefined || c === undefined || !sameShape(type(x).shape, shape)) return undefined;
  const known = type(beforeExpand(c, matcher)).shape;
  return (known[axis + known.length - shape.length] ?? 1) === 1 ? x : undefined;
}

/** e and s of e / s or e · (1 / s). */
function quotients(op: Op, { producer }: FusionMatcher): readonly (readonly [e: ValueId, s: ValueId])[] {
  if (op.name === "div") return [op.operands as [ValueId, ValueId]];
  if (op.name !== "mul") return [];
  return operandPairs(op).flatMap(([e, inverse]) => {
    const reciprocal = producer(inverse, "reciprocal");
    return reciprocal ? [[e, reciprocal.operands[0]!] as const] : [];
  });
}

// Protocols subtract the maximum themselves, and work on whole rows: the axis moves to the end.
const softmax: Fusion = {
  name: "softmax",
  law: "e / Σ e = softmax(x) for e = exp(x − c), with c the same along the axis, or none",
  match: (op, matcher) => {
    for (const [e, s] of quotients(op, matcher)) {
      const exponential = matcher.producer(e, "exp");
      const axis = exponential && summedAxis(s, e, matcher);
      // Another reader of e would need the exponentials as well.
      const alone = matcher.users(e).length === 2 && !matcher.isOutput(e);
      if (axis === undefined || !alone) continue;
      const z = exponential!.operands[0]!;
      return softmaxAlong(beforeShift(z, axis, matcher) ?? z, axis, matcher);
    }
    return undefined;
  },
};

function softmaxAlong(x: ValueId, axis: number, { type, emit }: FusionMatcher): ValueId {
  const rank = type(x).shape.length;
  if (axis === rank - 1) return emit("softmax", [x], { axis });
  const perm = Array.from({ length: rank }, (_, at) => (at === axis ? rank - 1 : at === rank - 1 ? axis : at));
  return emit("transpose", [emit("softmax", [emit("transpose", [x], { perm })], { axis: rank - 1 })], { perm });
}

export const softmaxFusions: readonly Fusion[] = [softmax];
