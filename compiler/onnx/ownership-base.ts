import { createHash } from "node:crypto";
import type { Tensor } from "../../ir/weights.ts";
import { openSafetensors, readSafetensor } from "../weights/safetensors.ts";
import { readModel } from "./decode.ts";
import type { Dtype } from "./dtype.ts";
import { catalogWeights, type Weight } from "./import-weights.ts";
import { roundedTo } from "./ownership-bytes.ts";
import { transpose } from "./tensor-data.ts";

/** The weights that everybody has. */
export interface Base {
  readonly path: string;
  /** Parameter names: they tell where an exporter's wrappers end. */
  readonly names: ReadonlySet<string>;
  /** The tensor that a weight of the model started from, in the layout of the model's own; undefined: none fits. */
  readonly counterpart: (weight: Weight) => BaseTensor | undefined;
  /** A tensor with these numbers, or one whose rows include all of them; its numbers may be rounded to the format. */
  readonly withNumbers: (tensor: Tensor, dtype: Dtype) => string | undefined;
}
export interface BaseTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** A tensor of the base in the layout of its file. */
interface Entry {
  readonly name: string;
  /** The file keeps the parameter's transpose. */
  readonly transposed: boolean;
  readonly read: () => Tensor;
}

/** An ONNX model, a .safetensors file, its index, or a folder that has one of these. */
export function openBase(path: string): Base {
  return path.endsWith(".onnx") ? onnxBase(path) : safetensorsBase(path);
}

function safetensorsBase(path: string): Base {
  const store = openSafetensors(path);
  const entries = [...store.entries.keys()].map((name): Entry => {
    return { name, transposed: false, read: () => readSafetensor(store, name) };
  });
  return baseOf(path, entries, new Map());
}

function onnxBase(path: string): Base {
  const catalog = catalogWeights(readModel(path));
  const weights = [...catalog.weights.values()];
  const entryOf = ({ name, recovered, tensor }: Weight): Entry => {
    return { name, transposed: recovered?.transposed ?? false, read: tensor };
  };
  // The same exporter gives the same made-up names to what has no other.
  const nameless = weights.filter(({ recovered }) => !recovered);
  return baseOf(path, weights.map(entryOf), new Map(nameless.map((weight) => [weight.source.name, entryOf(weight)])));
}

function baseOf(path: string, entries: readonly Entry[], byFileName: ReadonlyMap<string, Entry>): Base {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const indices = new Map<Dtype, ReturnType<typeof indexNumbers>>();
  const indexOf = (dtype: Dtype): ReturnType<typeof indexNumbers> => {
    const index = indices.get(dtype) ?? indexNumbers(entries, dtype);
    indices.set(dtype, index);
    return index;
  };
  return {
    path,
    names: new Set(byName.keys()),
    counterpart: ({ name, recovered, source }) => {
      const entry = byName.get(recovered?.name ?? name) ?? (recovered ? undefined : byFileName.get(source.name));
      if (!entry) return undefined;
      const read = entry.read();
      const turn = (recovered?.transposed ?? false) !== entry.transposed && read.shape.length === 2;
      const tensor = turn ? transpose(read) : read;
      return tensor.shape.join() === source.dims.join() ? { name: entry.name, tensor } : undefined;
    },
    // As they are, which is what no rounding to double precision changes; then as an export would round them.
    withNumbers: (tensor, dtype) => indexOf("float64")(tensor) ?? indexOf(dtype)(tensor),
  };
}

const digest = (data: Float64Array): string =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("base64");

/** Tied weights lie in a base once, and exporters store tables of positions row by row. */
function indexNumbers(entries: readonly Entry[], dtype: Dtype): (tensor: Tensor) => string | undefined {
  const whole = new Map<string, string>();
  const rows = new Map<string, string>();
  const keyOf = ({ shape, data }: Tensor): string => `${shape.join("x")} ${digest(data)}`;
  for (const { name, read } of entries) {
    const tensor = roundedTo(read(), dtype);
    whole.set(keyOf(tensor), name);
    if (tensor.shape.length !== 2) continue;
    whole.set(keyOf(transpose(tensor)), name);
    for (const row of rowsOf(tensor)) rows.set(`${row.length} ${digest(row)}`, name);
  }
  return (tensor) => {
    const equal = whole.get(keyOf(tensor));
    if (equal !== undefined || tensor.shape.length < 2 || tensor.data.length === 0) return equal;
    const found = new Set(rowsOf(tensor).map((row) => rows.get(`${row.length} ${digest(row)}`)));
    const [only] = found;
    return found.size === 1 ? only : undefined;
  };
}

function rowsOf({ shape, data }: Tensor): Float64Array[] {
  const width = Math.max(1, shape.at(-1)!);
  return Array.from({ length: data.length / width }, (_, row) => data.subarray(row * width, (row + 1) * width));
}
