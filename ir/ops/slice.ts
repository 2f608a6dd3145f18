import type { Attrs } from "../module.ts";
import type { Shape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { formatShape, stridesOf } from "./helpers/shapes.ts";
import { copyStrided } from "./helpers/tensors.ts";

function slicedShape(shape: Shape, attrs: Attrs): Shape {
  const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numberListOf(attrs, name));
  if ([starts, ends, steps].some((list) => list!.length !== shape.length)) {
    throw new Error(`expected a start, an end and a step for each axis of ${formatShape(shape)}`);
  }
  return shape.map((size, axis) => {
    const [start, end, step] = [starts![axis]!, ends![axis]!, steps![axis]!];
    const count = step === 0 ? -1 : Math.max(0, Math.ceil((end - start) / step));
    const last = start + (count - 1) * step;
    if (count < 0 || (count > 0 && Math.min(start, last) < 0) || (count > 0 && Math.max(start, last) >= size)) {
      throw new Error(`expected a slice inside 0…${size - 1} on axis ${axis}, found ${start}:${end}:${step}`);
    }
    return count;
  });
}

export const slice = defineOp({
  name: "slice",
  summary: "elements start, start + step, … before end, on every axis; a step may be negative, then end may be −1",
  operands: ["x"],
  attrs: { starts: { kind: "ints" }, ends: { kind: "ints" }, steps: { kind: "ints" } },
  shape: ([x], attrs) => slicedShape(x!, attrs),
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => {
    const strides = stridesOf(x!.shape);
    const starts = numberListOf(attrs, "starts");
    const steps = numberListOf(attrs, "steps");
    const offset = strides.reduce((sum, stride, axis) => sum + stride * starts[axis]!, 0);
    return copyStrided(
      x!,
      slicedShape(x!.shape, attrs),
      strides.map((stride, axis) => stride * steps[axis]!),
      offset,
    );
  },
  fixed: "integers",
  scales: keepScale,
});
