import fc from "fast-check";
import { lanesOf, type RingTensor, ringTensor, type Shape, sizeOf } from "../../../runtime/ring/tensor.ts";

/** Elements of a tensor as bigint. */
export function valuesOf(a: RingTensor): bigint[] {
  const lanes = lanesOf(a.width);
  return Array.from({ length: sizeOf(a.shape) }, (_, i) =>
    lanes === 1 ? BigInt(a.data![i]!) : BigInt(a.data![2 * i]!) | (BigInt(a.data![2 * i + 1]!) << 32n),
  );
}

/** The tensor of the given integers mod 2^width. */
export function tensorOf(shape: Shape, width: number, values: readonly bigint[]): RingTensor {
  const residues = values.map((value) => BigInt.asUintN(width, value));
  const lanes = residues.flatMap((v) => (width <= 32 ? [Number(v)] : [Number(v & 0xffffffffn), Number(v >> 32n)]));
  return ringTensor(shape, width, Uint32Array.from(lanes));
}

export const widths = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constantFrom(1, 8, 16, 31, 32, 33, 63, 64));
export const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

/** Extremes are as likely as anything in between. */
export const residues = (width: number): fc.Arbitrary<bigint> => {
  const top = 1n << BigInt(width);
  return fc.oneof(
    fc.bigInt({ min: 0n, max: top - 1n }),
    fc.constantFrom(0n, 1n % top, top - 1n, top / 2n, top / 2n - 1n),
  );
};

export const tensors = (shape: Shape, width: number): fc.Arbitrary<RingTensor> =>
  fc
    .array(residues(width), { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map((values) => tensorOf(shape, width, values));

/** Two shapes that broadcast: axes of one are dropped or set to 1. */
export const shapePairs: fc.Arbitrary<readonly [Shape, Shape]> = shapes.chain((shape) => {
  const reduced = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), fc.nat(shape.length))
    .map(([ones, dropped]) => shape.map((extent, axis) => (ones[axis] ? 1 : extent)).slice(dropped));
  return fc.oneof(
    fc.tuple(fc.constant(shape), reduced),
    fc.tuple(reduced, fc.constant(shape)),
    fc.tuple(reduced, reduced),
  );
});

/** Flat index into a tensor of shape `from` for the element `index` of the broadcast shape `to`. */
export function broadcastIndex(index: number, from: Shape, to: Shape): number {
  let flat = 0;
  let stride = 1;
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const position = index % to[axis]!;
    index = Math.floor(index / to[axis]!);
    const own = from[axis - to.length + from.length];
    if (own === undefined) continue;
    flat += own === 1 ? 0 : position * stride;
    stride *= own;
  }
  return flat;
}

/** A seeded generator (xorshift) for large tensors, which fast-check is too slow for. */
export function randomTensor(shape: Shape, width: number, seed: number): RingTensor {
  const data = new Uint32Array(sizeOf(shape) * lanesOf(width));
  let state = seed | 1;
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const top = lanesOf(width) === 1 || i % 2 === 1;
    data[i] = top ? state & (0xffffffff >>> (-width & 31)) : state;
  }
  return ringTensor(shape, width, data);
}
