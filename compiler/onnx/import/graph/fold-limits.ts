import type { Attrs } from "../../../../ir/module.ts";
import type { OpDef } from "../../../../ir/ops/define.ts";
import { numberListOf } from "../../../../ir/ops/helpers/attrs.ts";
import { arityOf } from "../../../../ir/registry.ts";
import { type Shape, sizeOf } from "../../../../ir/type.ts";

/** Elements of one value: logits of 2,048 places over 128 K words. A program over more would not run anywhere. */
const maxElements = 2 ** 28;
const maxAxes = 64;

/** What may be computed while a model is imported; a file of a few bytes must take neither all memory nor all day. */
const foldLimits = {
  /** Numbers in all results together, beside four for each number that the file stores: 512 MiB. */
  elements: 2 ** 26,
  /** Additions and multiplications in all: some seconds. */
  work: 2 ** 31,
} as const;

/** Elementary steps for each element of the result, where they are many. */
const stepsPerElement: Readonly<Record<string, (shapes: readonly Shape[], attrs: Attrs) => number>> = {
  matmul: ([x]) => x!.at(-1) ?? 1,
  // Windows are written out place by place, which costs far more than the products.
  conv: ([, kernel]) => 256 * sizeOf(kernel!.slice(1)),
  "max-pool": (_shapes, attrs) => 256 * sizeOf(numberListOf(attrs, "kernel")),
  "sum-pool": (_shapes, attrs) => 256 * sizeOf(numberListOf(attrs, "kernel")),
  // Everything along an axis is compared with everything.
  rank: ([x]) => 16 * Math.max(...x!),
  argmax: ([x]) => 16 * Math.max(...x!),
};

/** Throws a plain Error for a number of operands that the operator does not take. */
export function checkArity(def: OpDef, count: number): void {
  const { least, most } = arityOf(def);
  if (count < least || count > most) throw new Error(`expected ${least} operands of ${def.name}, found ${count}`);
}

/** Throws a plain Error for a result that no tensor can have. */
export function checkShape(shape: Shape): void {
  const valid = shape.length <= maxAxes && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  const size = sizeOf(shape);
  if (valid && size <= maxElements) return;
  const shown = shape.length <= maxAxes ? `[${shape.join(", ")}]` : `${shape.length} axes`;
  throw new Error(`expected at most ${maxElements} elements on at most ${maxAxes} axes, found ${shown}`);
}

export type FoldMeter = (op: string, operands: readonly Shape[], result: Shape, attrs: Attrs) => void;

/** Layouts of one stored weight on the way to where it is used; each is kept in the list of what was done to it. */
export const maxViews = 256;

/** Counts what is computed at import; the meter throws a plain Error before more than that is computed. */
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
