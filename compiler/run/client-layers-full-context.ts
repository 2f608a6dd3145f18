import { join } from "node:path";
import { concat } from "../../ir/ops/concat.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientLayers, type PositionRange, slicePositions } from "./client-layers.ts";
import { openOnnxSession } from "./onnx-session.ts";

/**
 * The client's layers over the whole window, in the clear and without traffic, also for some rows: what is before the
 * cuts may look at all places. `places`: of the window, where there is one.
 */
export async function openFullContextLayers(dir: string, contextLength: number): Promise<ClientLayers> {
  const [body, head] = await Promise.all([
    openOnnxSession(join(dir, "public.onnx")),
    openOnnxSession(join(dir, "head.onnx")),
  ]);
  const isWhole = ([from, to]: PositionRange): boolean => from === 0 && to === contextLength;
  return {
    runBefore: async (inputs, [from, to], _, axes) => {
      const computed = await body.run(inputs);
      const row = ([name, whole]: readonly [string, TypedTensor]): [string, TypedTensor] => {
        const axis = axes.get(name);
        return [name, isWhole([from, to]) || axis === undefined ? whole : slicePositions(whole, axis, [from, to])];
      };
      return new Map([...computed].map(row));
    },
    runAfter: async (revealed, rows, axes) => {
      if (isWhole(rows)) return await head.run(revealed);
      // The head is of the window as well: what was revealed of some places stands at them in an empty one.
      const axis = [...revealed.keys()].map((name) => axes.get(name)).find((each) => each !== undefined) ?? 1;
      const windows = [...revealed].map(([name, { dtype, tensor }]): [string, TypedTensor] => [
        name,
        { dtype, tensor: padToContext(tensor, axes.get(name) ?? axis, rows, contextLength) },
      ]);
      const computed = await head.run(new Map(windows));
      return new Map([...computed].map(([name, whole]) => [name, slicePositions(whole, axis, rows)]));
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

/** A window that is zero but for some rows. */
function padToContext(rows: Tensor, axis: number, [from, to]: PositionRange, contextLength: number): Tensor {
  const empty = (count: number): Tensor => {
    const shape = rows.shape.with(axis, count);
    return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return concat.evaluate([empty(from), rows, empty(contextLength - to)], { axis });
}
