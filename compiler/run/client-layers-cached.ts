import { join } from "node:path";
import { tensor } from "../../ir/tensor.ts";
import type { Manifest } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientLayers, slicePositions } from "./client-layers.ts";
import { type OrtCacheTensor, openOnnxSession } from "./onnx-session.ts";

/** The manifest's entry for these layers. */
export type ClientDecodeManifest = NonNullable<NonNullable<Manifest["decode"]>["clear"]>;

/** Position axes of keys and values, and of a text. */
const [keptAxis, textAxis] = [2, 1];

/**
 * Opens the client's layers for one row after the other. The client caches their keys and values in the clear, for
 * itself alone. A query of rows from the first one on starts a new text.
 */
export async function openCachedLayers(dir: string, { places, kept }: ClientDecodeManifest): Promise<ClientLayers> {
  const [body, head] = await Promise.all([
    openOnnxSession(join(dir, "public-step.onnx")),
    openOnnxSession(join(dir, "head-step.onnx")),
  ]);
  const cachedNames = kept.map(({ present }) => present);
  let state: { readonly rows: number; readonly held: ReadonlyMap<string, OrtCacheTensor> } = {
    rows: 0,
    held: new Map(),
  };
  /** Keys and values of the first `count` positions, by input name. */
  const pastInputs = (count: number): ReadonlyMap<string, OrtCacheTensor> =>
    new Map(
      kept.map(({ past, present, shape }) => {
        const none = { dims: shape.with(keptAxis, 0), data: new Float32Array(0) };
        return [past, firstPositions(state.held.get(present) ?? none, count)];
      }),
    );
  return {
    runBefore: async (text, rows, keep) => {
      const [from, to] = rows;
      if (from > state.rows)
        throw new Error(`expected ${from} cached rows before position ${from}, found ${state.rows}`);
      const inputs = new Map([...text].map(([name, each]) => [name, slicePositions(each, textAxis, rows)]));
      const { tensors, cached } = await body.runCached(
        inputs.set(places, positionsTensor(from, to)),
        pastInputs(from),
        cachedNames,
      );
      // Rows behind the text are padding.
      state = { rows: keep, held: new Map([...cached].map(([name, each]) => [name, firstPositions(each, keep)])) };
      return tensors;
    },
    runAfter: async (revealed, [from, to]) =>
      await head.run(new Map([...revealed, [places, positionsTensor(from, to)]])),
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

function positionsTensor(from: number, to: number): TypedTensor {
  const positions = Array.from({ length: to - from }, (_, row) => from + row);
  return { dtype: "int64", tensor: tensor([to - from], positions) };
}

/** The rows of the first `count` positions of a tensor that may have more. */
function firstPositions({ dims, data }: OrtCacheTensor, count: number): OrtCacheTensor {
  const available = dims[keptAxis]!;
  if (available === count) return { dims, data };
  const inner = dims.slice(keptAxis + 1).reduce((a, b) => a * b, 1);
  const outer = dims.slice(0, keptAxis).reduce((a, b) => a * b, 1);
  const rows = new Float32Array(outer * count * inner);
  for (let k = 0; k < outer; k++) {
    rows.set(data.subarray(k * available * inner, (k * available + count) * inner), k * count * inner);
  }
  return { dims: dims.with(keptAxis, count), data: rows };
}
