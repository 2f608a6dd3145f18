import { broadcastShapes, broadcastStrides, denseStrides, forEachRun } from "./broadcast.ts";
import { reshapeDeferred } from "./deferred.ts";
import { deferJoined, deferRun } from "./deferred-layout.ts";
import type { KernelTensor } from "./kernel.ts";
import { copyRun } from "./strided.ts";
import { type IntTensor, isMeta, lanesOf, metaTensor, type RingTensor, type Shape, sizeOf } from "./tensor.ts";

// Every function here moves whole elements and works on ring and integer tensors alike; a meta tensor stays a meta
// tensor.

/** The same elements in another shape, without a copy. @throws RangeError if the sizes differ. */
export function reshape<T extends KernelTensor>(a: T, shape: Shape): T {
  if (sizeOf(a.shape) !== sizeOf(shape)) throw new RangeError(`[${a.shape}] and [${shape}] have different sizes`);
  return (a.kind === "ring" && (reshapeDeferred(a, shape) as T | undefined)) || { ...a, shape };
}

/** Axis k of the result is axis perm[k]. @throws RangeError unless perm is a permutation of the axes. */
export function transpose<T extends KernelTensor>(a: T, perm: readonly number[]): T {
  const rank = a.shape.length;
  if (perm.length !== rank || new Set(perm).size !== rank || perm.some((axis) => !(a.shape[axis]! >= 0))) {
    throw new RangeError(`[${perm}] is not a permutation of the axes of [${a.shape}]`);
  }
  const strides = denseStrides(a.shape);
  return view(
    a,
    perm.map((axis) => a.shape[axis]!),
    0,
    perm.map((axis) => strides[axis]!),
  );
}

/**
 * Elements starts[k], starts[k] + steps[k], … before ends[k] of every axis k. A negative step runs down to after
 * ends[k], and −1 ends it at the front. Negative indices do not wrap: the compiler has resolved them.
 * @throws RangeError unless the lists have one entry per axis, steps are not 0, and all elements lie inside.
 */
export function slice<T extends KernelTensor>(
  a: T,
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[] = a.shape.map(() => 1),
): T {
  const rank = a.shape.length;
  if (starts.length !== rank || ends.length !== rank || steps.length !== rank || steps.includes(0)) {
    throw new RangeError(`slice [${starts}]…[${ends}] by [${steps}] does not fit [${a.shape}]`);
  }
  const shape = new Array<number>(rank);
  const strides = denseStrides(a.shape);
  let offset = 0;
  let isRun = steps[0] === 1;
  for (let axis = 0; axis < rank; axis++) {
    const [start, step] = [starts[axis]!, steps[axis]!];
    const size = Math.max(0, Math.ceil((ends[axis]! - start) / step));
    if (size > 0) {
      checkIndex(start, a.shape[axis]!);
      checkIndex(start + (size - 1) * step, a.shape[axis]!);
    }
    isRun &&= axis === 0 || (size === a.shape[axis] && step === 1);
    shape[axis] = size;
    offset += start * strides[axis]!;
    strides[axis] = strides[axis]! * step;
  }
  const run = isRun && a.kind === "ring" ? deferRun(a, shape, offset) : undefined;
  return (run as T | undefined) ?? view(a, shape, offset, strides);
}

/** Repeats along axes of size 1 and new leading axes. @throws RangeError if a does not broadcast to the shape. */
export function expand<T extends KernelTensor>(a: T, shape: Shape): T {
  if (String(broadcastShapes(a.shape, shape)) !== String(shape)) {
    throw new RangeError(`[${a.shape}] does not expand to [${shape}]`);
  }
  return view(a, shape, 0, broadcastStrides(a.shape, shape));
}

/** Joins tensors along an axis. @throws RangeError if their widths, or their shapes beside that axis, differ. */
export function concat<T extends KernelTensor>(tensors: readonly T[], axis: number): T {
  const first = tensors[0];
  if (first === undefined) throw new RangeError("concat of no tensors");
  const at = checkIndex(axis < 0 ? axis + first.shape.length : axis, first.shape.length);
  const other = tensors.find((a) => !areBeside(a, first, at));
  if (other) throw new RangeError(`concat along ${at}: ${describe(first)} and ${describe(other)} do not fit`);
  const shape = first.shape.with(
    at,
    tensors.reduce((sum, a) => sum + a.shape[at]!, 0),
  );
  if (sizeOf(shape.slice(0, at)) === 1) {
    const joined = deferJoined(
      tensors.flatMap((a) => (a.kind === "ring" ? (a as RingTensor) : [])),
      shape,
    );
    if (joined) return joined as T;
  }
  return rearranged(tensors, shape, (out, contents, lanes) => {
    const outer = sizeOf(first.shape.slice(0, at));
    const row = sizeOf(shape.slice(at)) * lanes;
    let offset = 0;
    contents.forEach((data, k) => {
      const block = sizeOf(tensors[k]!.shape.slice(at)) * lanes;
      for (let i = 0, to = offset; i < outer; i++, to += row) {
        if (block < 16) for (let j = 0; j < block; j++) out[to + j] = data[i * block + j]!;
        else out.set(data.subarray(i * block, (i + 1) * block), to);
      }
      offset += block;
    });
  });
}

/** Whether two tensors are of one kind and width, and of one shape but for an axis. */
function areBeside(a: KernelTensor, b: KernelTensor, axis: number): boolean {
  if (a.kind !== b.kind || (a.kind === "ring" && b.kind === "ring" && a.width !== b.width)) return false;
  if (a.shape.length !== b.shape.length) return false;
  for (let k = 0; k < a.shape.length; k++) if (k !== axis && a.shape[k] !== b.shape[k]) return false;
  return true;
}

/** Public positions, or a function that lays them out: for a meta tensor, of which only the shape matters, none is. */
export type Indices = readonly number[] | Int32Array | (() => readonly number[] | Int32Array);

/** The positions, as many as `shape` has elements, each in 0…size−1; negative ones count from the end. */
function positionsOf(indices: Indices, shape: Shape, size: number): Int32Array {
  const given = typeof indices === "function" ? indices() : indices;
  checkCount(given.length, shape);
  const positions = new Int32Array(given.length);
  for (let k = 0; k < positions.length; k++) {
    const index = given[k]!;
    positions[k] = checkIndex(index < 0 ? index + size : index, size);
  }
  return positions;
}

/**
 * Slices a[…, indices[k], …] along an axis, which indexShape replaces in the result. Negative indices count from the
 * end.
 * @throws RangeError if an index lies outside, or the number of indices is not the size of indexShape.
 */
export function gather<T extends KernelTensor>(a: T, indices: Indices, indexShape: Shape, axis: number): T {
  const at = checkIndex(axis < 0 ? axis + a.shape.length : axis, a.shape.length);
  const size = a.shape[at]!;
  if (typeof indices !== "function") checkCount(indices.length, indexShape);
  const outer = a.shape.slice(0, at);
  const inner = a.shape.slice(at + 1);
  return rearranged([a], [...outer, ...indexShape, ...inner], (out, [data], lanes) => {
    const positions = positionsOf(indices, indexShape, size);
    const block = sizeOf(inner) * lanes;
    let to = 0;
    for (let i = 0; i < sizeOf(outer); i++) {
      for (const position of positions) {
        const from = (i * size + position) * block;
        if (block < 16) for (let k = 0; k < block; k++) out[to + k] = data![from + k]!;
        else out.set(data!.subarray(from, from + block), to);
        to += block;
      }
    }
  });
}

/** Element k of the result is element flatIndices[k] of the row-major input. @throws RangeError as `gather` does. */
export function gatherFlat<T extends KernelTensor>(a: T, flatIndices: Indices, shape: Shape): T {
  return gather(reshape(a, [sizeOf(a.shape)]), flatIndices, shape, 0);
}

/**
 * Element flatIndices[k] of the row-major result is element k of the input; all others are zero.
 * @throws RangeError if an index lies outside, or the number of indices is not the number of elements.
 */
export function scatterFlat<T extends KernelTensor>(a: T, flatIndices: Int32Array, shape: Shape): T {
  checkCount(flatIndices.length, a.shape);
  const size = sizeOf(shape);
  return rearranged([a], shape, (out, [data], lanes) => {
    for (let k = 0; k < flatIndices.length; k++) {
      const index = checkIndex(flatIndices[k]!, size);
      for (let lane = 0; lane < lanes; lane++) out[index * lanes + lane] = data![k * lanes + lane]!;
    }
  });
}

type TensorContents = Uint32Array | Float64Array;

function view<T extends KernelTensor>(a: T, shape: Shape, offset: number, strides: readonly number[]): T {
  return rearranged([a], shape, (out, [data], lanes) => {
    forEachRun(shape, strides, strides, (at, i, _, count, step) =>
      copyRun(out, lanes * at, data!, lanes, offset + i, step, count),
    );
  });
}

/** A zeroed tensor of the inputs' kind, filled by `body`; a meta tensor if an input is one. */
function rearranged<T extends KernelTensor>(
  inputs: readonly T[],
  shape: Shape,
  body: (out: TensorContents, contents: readonly TensorContents[], lanes: 1 | 2) => void,
): T {
  const a: RingTensor | IntTensor = inputs[0]!;
  if (inputs.some(isMeta))
    return (a.kind === "ring" ? metaTensor(shape, a.width) : { ...a, shape, data: undefined }) as T;
  const contents = inputs.map((input) => input.data!);
  const lanes = a.kind === "ring" ? lanesOf(a.width) : 1;
  const data = a.kind === "ring" ? new Uint32Array(sizeOf(shape) * lanes) : new Float64Array(sizeOf(shape));
  body(data, contents, lanes);
  return (a.kind === "ring" ? { kind: a.kind, shape, width: a.width, data } : { ...a, shape, data }) as T;
}

function checkIndex(index: number, size: number): number {
  if (!(Number.isInteger(index) && index >= 0 && index < size))
    throw new RangeError(`index ${index} is not in 0…${size - 1}`);
  return index;
}

function checkCount(count: number, shape: Shape): void {
  if (count !== sizeOf(shape)) throw new RangeError(`[${shape}] needs ${sizeOf(shape)} indices, got ${count}`);
}

const describe = (a: KernelTensor): string =>
  a.kind === "ring" ? `[${a.shape}] of ${a.width} bits` : `integers [${a.shape}]`;
