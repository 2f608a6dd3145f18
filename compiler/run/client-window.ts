import { join } from "node:path";
import { concat } from "../../ir/ops/concat.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { TypedTensor } from "../weights/npy.ts";
import { type ClientLayers, rowsOf } from "./client-layers.ts";
import { openOnnx } from "./onnx-part.ts";

/**
 * The client's layers over the whole window, in the clear and without traffic, also for one place: what is before the
 * cuts may look at all places. `places`: of the window, where there is one.
 */
export async function openClientWindow(dir: string, places: number): Promise<ClientLayers> {
  const [body, head] = await Promise.all([openOnnx(join(dir, "public.onnx")), openOnnx(join(dir, "head.onnx"))]);
  return {
    before: async (inputs, { program, place }, axes) => {
      const computed = await body.run(inputs);
      const row = ([name, whole]: readonly [string, TypedTensor]): [string, TypedTensor] => {
        const axis = axes.get(name);
        return [name, program === 0 || axis === undefined ? whole : rowsOf(whole, axis, place, place + 1)];
      };
      return new Map([...computed].map(row));
    },
    after: async (revealed, { program, place }, axes) => {
      if (program === 0) return await head.run(revealed);
      // The head is of the window as well: what was revealed of one place stands at its place in an empty one.
      const axis = [...revealed.keys()].map((name) => axes.get(name)).find((each) => each !== undefined) ?? 1;
      const windows = [...revealed].map(([name, { dtype, tensor }]): [string, TypedTensor] => [
        name,
        { dtype, tensor: inWindow(tensor, axes.get(name) ?? axis, place, places) },
      ]);
      const computed = await head.run(new Map(windows));
      return new Map([...computed].map(([name, whole]) => [name, rowsOf(whole, axis, place, place + 1)]));
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

/** A window that is zero but for the row of one place. */
function inWindow(row: Tensor, axis: number, place: number, places: number): Tensor {
  const empty = (count: number): Tensor => {
    const shape = row.shape.with(axis, count);
    return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return concat.evaluate([empty(place), row, empty(places - place - 1)], { axis });
}
