import type { Op } from "../../../../ir/module.ts";
import { type Fusion, type FusionMatcher, operandPairs } from "./matcher.ts";

/** x where the value is rotate_half(x) = [−x₂ | x₁], x = [x₁ | x₂] on the last axis. */
function matchRotatedHalf({ producer, type }: FusionMatcher, id: string): string | undefined {
  const joined = producer(id, "concat");
  if (joined?.operands.length !== 2) return undefined;
  const rank = type(id).shape.length;
  if (joined.attrs.axis !== -1 && joined.attrs.axis !== rank - 1) return undefined;
  const second = producer(producer(joined.operands[0]!, "neg")?.operands[0] ?? "", "slice");
  const first = producer(joined.operands[1]!, "slice");
  const [x] = second?.operands ?? [];
  if (!first || !second || x === undefined || first.operands[0] !== x) return undefined;
  const width = type(x).shape.at(-1)!;
  const half = width / 2;
  const shape = type(x).shape;
  return isLastAxisSlice(first, shape, 0, half) && isLastAxisSlice(second, shape, half, width) ? x : undefined;
}

/** Whether a slice covers all axes but the last completely. */
function isLastAxisSlice(op: Op, shape: readonly number[], start: number, end: number): boolean {
  const list = (name: string): readonly number[] => op.attrs[name] as readonly number[];
  return shape.every((size, axis) => {
    const last = axis === shape.length - 1;
    const [from, to] = last ? [start, end] : [0, size];
    return list("starts")[axis] === from && list("ends")[axis] === to && list("steps")[axis] === 1;
  });
}

// x ∘ cos + rotate_half(x) ∘ sin
const rope: Fusion = {
  name: "rope",
  law: "x · cos + [−x₂ | x₁] · sin = rope(x, cos, sin)",
  match: (op, matcher) => {
    if (op.name !== "add") return undefined;
    for (const [left, right] of operandPairs(op)) {
      const [plain, turned] = [matcher.producer(left, "mul"), matcher.producer(right, "mul")];
      for (const [half, sin] of turned ? operandPairs(turned) : []) {
        const x = matchRotatedHalf(matcher, half);
        const cos = plain && x !== undefined && operandPairs(plain).find(([of]) => of === x)?.[1];
        // The tables must broadcast to x: rope does not widen its operand.
        if (cos && isTableShape(matcher, cos, x) && isTableShape(matcher, sin, x))
          return matcher.emit("rope", [x, cos, sin]);
      }
    }
    return undefined;
  },
};

function isTableShape({ type }: FusionMatcher, table: string, x: string): boolean {
  const [small, whole] = [type(table).shape, type(x).shape];
  const shift = whole.length - small.length;
  return shift >= 0 && small.every((size, axis) => size === 1 || size === whole[axis + shift]);
}

export const ropeFusions: readonly Fusion[] = [rope];
