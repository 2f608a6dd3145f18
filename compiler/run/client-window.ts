import { join } from "node:path";
import { concat } from "../../ir/ops/concat.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientLayers, type Rows, rowsOf } from "./client-layers.ts";
import { openOnnx } from "./onnx-part.ts";

/**
 * The client's layers over the whole window, in the clear and without traffic, also for some rows: what is before the
 * cuts may look at all places. `places`: of the window, where there is one.
 */
export async function openClientWindow(dir: string, places: number): Promise<ClientLayers> {
  const [body, head] = await Promise.all([openOnnx(join(dir, "public.onnx")), openOnnx(join(dir, "head.onnx"))]);
  const isWhole = ([from, to]: Rows): boolean => from === 0 && to === places;
  return {
    before: async (inputs, [from, to], _, axes) => {
      const computed = await body.run(inputs);
      const row = ([name, whole]: readonly [string, TypedTensor]): [string, TypedTensor] => {
        const axis = axes.get(name);
        return [name, isWhole([from, to]) || axis === undefined ? whole : rowsOf(whole, axis, [from, to])];
      };
      return new Map([...computed].map(row));
    },
    after: async (revealed, rows, axes) => {
      if (isWhole(rows)) return await head.run(revealed);
      // The head is of the window as well: what was revealed of some places stands at them in an empty one.
      const axis = [...revealed.keys()].map((name) => axes.get(name)).find((each) => each !== undefined) ?? 1;
      const windows = [...revealed].map(([name, { dtype, tensor }]): [string, TypedTensor] => [
        name,
        { dtype, tensor: inWindow(tensor, axes.get(name) ?? axis, rows, places) },
      ]);
      const computed = await head.run(new Map(windows));
      return new Map([...computed].map(([name, whole]) => [name, rowsOf(whole, axis, rows)]));
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

/** A window that is zero but for some rows. */
function inWindow(rows: Tensor, axis: number, [from, to]: Rows, places: number): Tensor {
  const empty = (count: number): Tensor => {
    const shape = rows.shape.with(axis, count);
    return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return concat.evaluate([empty(from), rows, empty(places - to)], { axis });
}
