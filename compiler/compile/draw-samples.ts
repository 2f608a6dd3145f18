import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { type Interval, sizeOf } from "../../ir/type.ts";
import type { ClientCut } from "../../passes/pass.ts";
import { createFixedStream } from "../tensors/index.ts";

const drawnRuns = 8;

/**
 * Inputs of the secure module that are drawn within public bounds, where there are no calibration inputs: real numbers
 * uniformly, rows of one-hot inputs with any column, booleans with any value. Undefined where an input has no bounds.
 */
export function drawSamples(
  module: Module,
  cuts: readonly ClientCut[],
  bounds: ReadonlyMap<ValueId, Interval>,
): readonly ReadonlyMap<ValueId, Tensor>[] | undefined {
  const cutOf = new Map(cuts.map((cut) => [cut.value, cut]));
  const draws = module.inputs.map((id) => [id, drawOf(module, id, cutOf.get(id), bounds.get(id))] as const);
  if (draws.some(([, draw]) => draw === undefined)) return undefined;
  const next = createFixedStream();
  return Array.from({ length: drawnRuns }, () => new Map(draws.map(([id, draw]) => [id, draw!(next)])));
}

type Draw = (next: () => number) => Tensor;

function drawOf(
  module: Module,
  id: ValueId,
  cut: ClientCut | undefined,
  range: Interval | undefined,
): Draw | undefined {
  const { shape, element } = typeOf(module, id);
  const { oneHot: depth, rows, least } = cut ?? {};
  const each = (draw: (next: () => number) => number): Draw => {
    return (next) =>
      tensor(
        shape,
        Float64Array.from({ length: sizeOf(shape) }, () => draw(next)),
      );
  };
  if (depth !== undefined) {
    return (next) => {
      const data = new Float64Array(sizeOf(shape));
      for (let row = 0; row < data.length; row += depth) data[row + Math.floor(next() * depth)] = 1;
      return tensor(shape, data);
    };
  }
  if (rows !== undefined) return each((next) => Math.floor(next() * rows));
  if (element.kind === "bool") return each((next) => Math.round(next()));
  if (!range) return undefined;
  const lo = Math.max(range.lo, least ?? -Infinity);
  const between = (next: () => number): number => lo + (range.hi - lo) * next();
  return each(element.kind === "i64" ? (next) => Math.round(between(next)) : between);
}
