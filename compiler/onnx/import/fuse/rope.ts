import type { Op } from "../../../../ir/module.ts";
import { type Matcher, pairsOf, type Recogniser } from "./match.ts";

/** x where the value is rotate_half(x) = [−x₂ | x₁], x = [x₁ | x₂] on the last axis. */
function rotated({ made, type }: Matcher, id: string): string | undefined {
  const joined = made(id, "concat");
  if (joined?.operands.length !== 2) return undefined;
  const rank = type(id).shape.length;
  if (joined.attrs.axis !== -1 && joined.attrs.axis !== rank - 1) return undefined;
  const second = made(made(joined.operands[0]!, "neg")?.operands[0] ?? "", "slice");
  const first = made(joined.operands[1]!, "slice");
  const [x] = second?.operands ?? [];
  if (!first || !second || x === undefined || first.operands[0] !== x) return undefined;
  const width = type(x).shape.at(-1)!;
  const half = width / 2;
  const shape = type(x).shape;
  return isPart(first, shape, 0, half) && isPart(second, shape, half, width) ? x : undefined;
}

/** Whole on all axes but the last. */
function isPart(op: Op, shape: readonly number[], start: number, end: number): boolean {
  const list = (name: string): readonly number[] => op.attrs[name] as readonly number[];
  return shape.every((extent, axis) => {
    const last = axis === shape.length - 1;
    const [from, to] = last ? [start, end] : [0, extent];
    return list("starts")[axis] === from && list("ends")[axis] === to && list("steps")[axis] === 1;
  });
}

// x ∘ cos + rotate_half(x) ∘ sin
const rope: Recogniser = {
  name: "rope",
  law: "x · cos + [−x₂ | x₁] · sin = rope(x, cos, sin)",
  match: (op, matcher) => {
    if (op.name !== "add") return undefined;
    for (const [left, right] of pairsOf(op)) {
      const [plain, turned] = [matcher.made(left, "mul"), matcher.made(right, "mul")];
      for (const [half, sin] of turned ? pairsOf(turned) : []) {
        const x = rotated(matcher, half);
        const cos = plain && x !== undefined && pairsOf(plain).find(([of]) => of === x)?.[1];
        // The tables must broadcast to x: rope does not widen its operand.
        if (cos && fitsIn(matcher, cos, x) && fitsIn(matcher, sin, x)) return matcher.emit("rope", [x, cos, sin]);
      }
    }
    return undefined;
  },
};

function fitsIn({ type }: Matcher, table: string, x: string): boolean {
  const [small, whole] = [type(table).shape, type(x).shape];
  const shift = whole.length - small.length;
  return shift >= 0 && small.every((extent, axis) => extent === 1 || extent === whole[axis + shift]);
}

export const ropeRecognisers: readonly Recogniser[] = [rope];
