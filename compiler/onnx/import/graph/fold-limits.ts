import type { Attrs } from "../../../../ir/module.ts";
import type { OpDef } from "../../../../ir/ops/define.ts";
import { numberListOf } from "../../../../ir/ops/helpers/attrs.ts";
import { arityOf } from "../../../../ir/registry.ts";
import { type Shape, sizeOf } from "../../../../ir/type.ts";

/** Elements of one value: logits of 2,048 positions over 128 K tokens. No machine runs a larger program. */
const maxElements = 2 ** 28;
const maxAxes = 64;

/** Limits on computation during the import: a file of a few bytes must not take all memory or a whole day. */
const foldLimits = {
  /** Elements in all results together, beside four for each element that the file stores: 512 MiB. */
  elements: 2 ** 26,
  /** Additions and multiplications in all: some seconds. */
  work: 2 ** 31,
} as const;

/** Elementary steps for each element of the result, where they are many. */
const stepsPerElement: Readonly<Record<string, (shapes: readonly Shape[], attrs: Attrs) => number>> = {
  matmul: ([x]) => x!.at(-1) ?? 1,
  // Each position of a window is expanded, which costs far more than the products.
  conv: ([, kernel]) => 256 * sizeOf(kernel!.slice(1)),
  "max-pool": (_shapes, attrs) => 256 * sizeOf(numberListOf(attrs, "kernel")),
  "sum-pool": (_shapes, attrs) => 256 * sizeOf(numberListOf(attrs, "kernel")),
  // Every element along an axis is compared with every other.
  rank: ([x]) => 16 * Math.max(...x!),
  argmax: ([x]) => 16 * Math.max(...x!),
};

/** Throws a plain Error for an operand count that the operator does not take. */
export function checkArity(def: OpDef, count: number): void {
  const { least, most } = arityOf(def);
  if (count < least || count > most) throw new Error(`expected ${least} operands of ${def.name}, found ${count}`);
}

/** Throws a plain Error for a shape that no tensor can have. */
export function checkShape(shape: Shape): void {
  const valid = shape.length <= maxAxes && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  const size = sizeOf(shape);
  if (valid && size <= maxElements) return;
  const shown = shape.length <= maxAxes ? `[${shape.join(", ")}]` : `${shape.length} axes`;
  throw new Error(`expected at most ${maxElements} elements on at most ${maxAxes} axes, found ${shown}`);
}

export type FoldMeter = (op: string, operands: readonly Shape[], result: Shape, attrs: Attrs) => void;

/** Layouts of one stored weight before its use; the list of layout operators keeps each. */
export const maxViews = 256;

/**
 * Meters computation at import. The meter throws a plain Error before the limit is exceeded. `stored` is the element
 * count of the file.
 */
export function createFoldMeter(stored: number): FoldMeter {
  let elements = 4 * stored + foldLimits.elements;
  let work: number = 16 * stored + foldLimits.work;
  return (op, operands, result, attrs) => {
    const size = sizeOf(result);
    const steps = Object.hasOwn(stepsPerElement, op) ? stepsPerElement[op]!(operands, attrs) : 1;
    elements -= size;
    work -= operands.reduce((sum, shape) => sum + sizeOf(shape), size * steps);
    if (elements < 0 || work < 0) {
      throw new Error(`the model computes too much from constants alone, here [${result.join(", ")}] by ${op}`);
    }
  };
}
