import { join } from "node:path";
import { concat } from "../../ir/ops/concat.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientLayers, type PositionRange, slicePositions } from "./client-layers.ts";
import { openOnnxSession } from "./onnx-session.ts";

/**
 * Opens the client's layers over the full context, in the clear and without traffic. They run over all positions also
 * when a query asks for some rows: layers before the cuts may look at every position.
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
      // The head's graph takes the full context as well: the revealed rows stand at their positions among zeros.
      const axis = [...revealed.keys()].map((name) => axes.get(name)).find((each) => each !== undefined) ?? 1;
      const padded = [...revealed].map(([name, { dtype, tensor }]): [string, TypedTensor] => [
        name,
        { dtype, tensor: padToContext(tensor, axes.get(name) ?? axis, rows, contextLength) },
      ]);
      const computed = await head.run(new Map(padded));
      return new Map([...computed].map(([name, whole]) => [name, slicePositions(whole, axis, rows)]));
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

/** A tensor of the full context that is zero outside of these rows. */
function padToContext(rows: Tensor, axis: number, [from, to]: PositionRange, contextLength: number): Tensor {
  const empty = (count: number): Tensor => {
    const shape = rows.shape.with(axis, count);
    return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return concat.evaluate([empty(from), rows, empty(contextLength - to)], { axis });
}
