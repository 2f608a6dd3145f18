import { createHash } from "node:crypto";
import type { Tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";
import { readTensor } from "../onnx/format/index.ts";
import { readModel, untieInitializers } from "../onnx/normalize/index.ts";
import { catalogWeights, type ModelWeight, storedTensors, type WeightCatalog } from "../onnx/weights/index.ts";
import { type Dtype, openSafetensors, readSafetensor, roundTensor, transpose } from "../tensors/index.ts";

/** The public base weights. */
export interface BaseModel {
  readonly path: string;
  /** Parameter names: they show where an exporter's wrapper prefixes end. */
  readonly names: ReadonlySet<string>;
  /** The base tensor that a weight started from, in the layout of the model's own; undefined: none fits. */
  readonly counterpart: (weight: ModelWeight) => BaseTensor | undefined;
  /**
   * A tensor with these values whose name satisfies `isFree`, possibly rounded to the format, or one that has them as
   * consecutive rows, as exporters store tables of positions.
   */
  readonly nameByValues: (tensor: Tensor, dtype: Dtype, isFree: (name: string) => boolean) => string | undefined;
  /** Tensors of this shape or its transpose. */
  readonly withShape: (shape: readonly number[]) => readonly BaseTensor[];
}
export interface BaseTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** A tensor of the base in the layout of its file. */
interface BaseEntry {
  readonly name: string;
  /** The file stores the parameter's transpose. */
  readonly transposed: boolean;
  /** Absent: known only after reading. */
  readonly shape?: readonly number[];
  readonly read: () => Tensor;
}

/** Opens an ONNX model, a .safetensors file, its index, or a folder with one of these. */
export function openBaseModel(path: string): BaseModel {
  return path.endsWith(".onnx") ? openOnnxBase(path) : openSafetensorsBase(path);
}

function openSafetensorsBase(path: string): BaseModel {
  const store = openSafetensors(path);
  const entries = [...store.entries].map(([name, { shape }]): BaseEntry => {
    return { name, transposed: false, shape, read: () => readSafetensor(store, name) };
  });
  return createBaseModel(path, entries, new Map());
}

function openOnnxBase(path: string): BaseModel {
  const catalog = catalogWeights(untieInitializers(readModel(path)));
  const weights = [...catalog.weights.values()];
  const entryOf = ({ name, recovered, tensor }: ModelWeight): BaseEntry => {
    return { name, transposed: recovered?.transposed ?? false, read: tensor };
  };
  // The same exporter gives the same invented names to tensors without a name.
  const nameless = weights.filter(({ recovered }) => !recovered);
  const entries = [...weights.map(entryOf), ...namedConstants(catalog)];
  return createBaseModel(path, entries, new Map(nameless.map((weight) => [weight.source.name, entryOf(weight)])));
}

/** Tables with a parameter's name are part of the base: a model may have trained its own. */
function namedConstants({ model, constants, names }: WeightCatalog): readonly BaseEntry[] {
  return storedTensors(model).flatMap((tensor) => {
    const { name, how } = names.names.get(tensor.name) ?? {};
    if (name === undefined || how !== "kept" || !constants.has(tensor.name) || sizeOf(tensor.dims) <= 1) return [];
    return [{ name, transposed: false, read: () => readTensor(model, tensor) }];
  });
}

function createBaseModel(
  path: string,
  entries: readonly BaseEntry[],
  byFileName: ReadonlyMap<string, BaseEntry>,
): BaseModel {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const indices = new Map<Dtype, ReturnType<typeof indexValues>>();
  const indexOf = (dtype: Dtype): ReturnType<typeof indexValues> => {
    const index = indices.get(dtype) ?? indexValues(entries, dtype);
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
    // Compares exact values first, in double precision; then as an export would round them.
    nameByValues: (tensor, dtype, isFree) => indexOf("float64")(tensor, isFree) ?? indexOf(dtype)(tensor, isFree),
    withShape: (shape) => {
      const wanted = [shape.join(), [...shape].reverse().join()];
      return entries.flatMap(({ name, shape: own, read }) =>
        wanted.includes((own ?? read().shape).join()) ? [{ name, tensor: read() }] : [],
      );
    },
  };
}

const digest = (data: Float64Array): string =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("base64");

/** Candidates with equal values that are checked: a table may repeat rows of zeros any number of times. */
const maxEqualTensors = 64;

type FindByValues = (tensor: Tensor, isFree: (name: string) => boolean) => string | undefined;

/** Tied weights occur once in a base, and exporters store tables of positions as the rows that are looked up. */
function indexValues(entries: readonly BaseEntry[], dtype: Dtype): FindByValues {
  const byDigest = new Map<string, string[]>();
  const rows = new Map<string, { readonly name: string; readonly at: number }[]>();
  const keyOf = ({ shape, data }: Tensor): string => `${shape.join("x")} ${digest(data)}`;
  const add = <T>(map: Map<string, T[]>, key: string, value: T): void => {
    const all = map.get(key);
    if (!all) map.set(key, [value]);
    else if (all.length < maxEqualTensors) all.push(value);
  };
  for (const { name, read } of entries) {
    const tensor = roundTensor(read(), dtype);
    if (tensor.shape.length === 1) add(byDigest, keyOf(plusOne(tensor)), name);
    const [key, turned] = [keyOf(tensor), tensor.shape.length === 2 ? keyOf(transpose(tensor)) : ""];
    add(byDigest, key, name);
    if (turned !== "" && turned !== key) add(byDigest, turned, name);
    if (tensor.shape.length !== 2) continue;
    for (const [at, row] of matrixRows(tensor).entries()) add(rows, digest(row), { name, at });
  }
  return (tensor, isFree) => {
    const equal = byDigest.get(keyOf(tensor))?.find(isFree);
    // A row of one element matches any number.
    if (equal !== undefined || tensor.shape.length < 2 || tensor.shape.at(-1)! < 2) return equal;
    const found = matrixRows(tensor).map((row) => rows.get(digest(row)) ?? []);
    // Consecutive rows, or one row for every position: any other choice of rows is private knowledge.
    return found[0]?.find(
      ({ name, at }) =>
        isFree(name) &&
        [0, 1].some((step) =>
          found.every((row, n) => row.some((each) => each.name === name && each.at === at + n * step)),
        ),
    )?.name;
  };
}

/** Norm weights that a model stores as their difference from 1, as Gemma does, and that exporters fold. */
const plusOne = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.map((value) => Math.fround(1 + value)) });

function matrixRows({ shape, data }: Tensor): Float64Array[] {
  const width = Math.max(1, shape.at(-1)!);
  return Array.from({ length: data.length / width }, (_, row) => data.subarray(row * width, (row + 1) * width));
}
