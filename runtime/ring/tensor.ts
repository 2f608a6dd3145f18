/**
 * Tensors of residues mod 2^width, the only values that protocols compute with.
 *
 * A tensor without data is a *meta tensor*: it has a shape and a width and no contents. Every kernel of this folder
 * returns a meta tensor when one of its inputs is one. This rule gives one protocol body its several readings: a party
 * computes with its own shares and has meta tensors for its peer's values, the dealer sees the masks and no shares, and
 * the cost model sees only shapes.
 */
export type Shape = readonly number[];

/**
 * Row-major residues mod 2^width, 1 ≤ width ≤ 64. Up to 32 bits: one lane per element. Above: two lanes, low
 * first (the memory of a little-endian u64). Bits above the width are zero. Bits are the ring of width 1.
 */
export interface RingTensor {
  readonly kind: "ring";
  readonly shape: Shape;
  readonly width: number;
  readonly data: Uint32Array | undefined;
}

/** Public integers, |value| < 2^53: weights and constants that this party knows. A meta tensor where it does not. */
export interface IntTensor {
  readonly kind: "int";
  readonly shape: Shape;
  readonly data: Float64Array | undefined;
}

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) size *= shape[axis]!;
  return size;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

export const lanesOf = (width: number): 1 | 2 => (width <= 32 ? 1 : 2);

function checkWidth(width: number): void {
  if (!Number.isInteger(width) || width < 1 || width > 64) throw new RangeError(`ring width ${width} is not in 1…64`);
}

export function ringTensor(shape: Shape, width: number, data: Uint32Array | undefined): RingTensor {
  checkWidth(width);
  if (data && data.length !== sizeOf(shape) * lanesOf(width)) {
    throw new RangeError(
      `ring tensor [${shape}] of ${width} bits needs ${sizeOf(shape) * lanesOf(width)} lanes, got ${data.length}`,
    );
  }
  return { kind: "ring", shape, width, data };
}

/** What a deferred tensor is computed from; its form is that of deferred.ts. */
export type Deferred = object;
const deferred = Symbol("deferred");

/** A tensor whose elements are computed when they are read. */
export function deferredTensor(shape: Shape, width: number, from: Deferred, compute: () => Uint32Array): RingTensor {
  const tensor = {
    ...{ kind: "ring" as const, shape, width },
    get data() {
      return compute();
    },
  };
  // Nobody who lists the properties of a tensor sees this one.
  return Object.defineProperty(tensor, deferred, { value: from });
}

export const deferredOf = (tensor: RingTensor | IntTensor): Deferred | undefined =>
  (tensor as { readonly [deferred]?: Deferred })[deferred];

/** Whether a tensor has a shape alone. A deferred tensor has contents, though they may not be computed. */
export const isMeta = (tensor: RingTensor | IntTensor): boolean =>
  deferredOf(tensor) === undefined && tensor.data === undefined;

export const metaTensor = (shape: Shape, width: number): RingTensor => ringTensor(shape, width, undefined);

export function zeros(shape: Shape, width: number): RingTensor {
  checkWidth(width);
  return { kind: "ring", shape, width, data: new Uint32Array(sizeOf(shape) * lanesOf(width)) };
}

export const intTensor = (shape: Shape, data: Float64Array | undefined): IntTensor => ({ kind: "int", shape, data });

/** Bytes of a tensor on the wire: its elements packed to the ring's width, the last byte padded with zeros. */
export function packedBytes(shape: Shape, width: number): number {
  return Math.ceil((sizeOf(shape) * width) / 8);
}
