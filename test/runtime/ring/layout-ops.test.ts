import fc from "fast-check";
import { expect, test } from "vitest";
import {
  concat,
  expand,
  gather,
  gatherFlat,
  reshape,
  scatterFlat,
  slice,
  transpose,
} from "../../../runtime/ring/layout-ops.ts";
import {
  type IntTensor,
  intTensor,
  metaTensor,
  type RingTensor,
  type Shape,
  sizeOf,
  zeros,
} from "../../../runtime/ring/tensor.ts";
import { broadcastIndex, shapePairs, shapes, tensorOf } from "./reference.ts";

type Tensor = RingTensor | IntTensor;

// Elements carry their own position, so that wherever they go they tell where they came from; high lanes too.
const kinds: Record<string, (shape: Shape, values: readonly number[]) => Tensor> = {
  "one lane": (shape, values) => tensorOf(shape, 20, values.map(BigInt)),
  "two lanes": (shape, values) =>
    tensorOf(
      shape,
      60,
      values.map((v) => BigInt(v) * (2n ** 32n + 1n)),
    ),
  integers: (shape, values) => intTensor(shape, Float64Array.from(values)),
};
const counted = (make: (typeof kinds)[string], shape: Shape) =>
  make(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => i + 1),
  );

function positions(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (all, extent) => all.flatMap((head) => Array.from({ length: extent }, (_, i) => [...head, i])),
    [[]],
  );
}
const flat = (position: readonly number[], shape: Shape) =>
  position.reduce((sum, p, axis) => sum * shape[axis]! + p, 0);
/** The tensor whose element at each position is the counted input's element at source(position). */
function expected(
  make: (typeof kinds)[string],
  from: Shape,
  to: Shape,
  source: (position: number[]) => number[],
): Tensor {
  return make(
    to,
    positions(to).map((position) => flat(source(position), from) + 1),
  );
}

test.each(
  Object.entries(kinds),
)("%s: transpose, slice, expand, gather and concat move the right elements", (_, make) => {
  fc.assert(
    fc.property(shapes, fc.infiniteStream(fc.nat(1000)), (shape, stream) => {
      const draw = (below: number) => (stream.next().value as number) % below;
      const a = counted(make, shape);
      const perm = shape.map((_, axis) => axis);
      for (let i = perm.length - 1; i > 0; i--) {
        const j = draw(i + 1);
        [perm[i], perm[j]] = [perm[j]!, perm[i]!];
      }
      const turned = perm.map((axis) => shape[axis]!);
      expect(transpose(a, perm)).toEqual(
        expected(make, shape, turned, (position) => perm.map((_, axis) => position[perm.indexOf(axis)]!)),
      );

      const steps = shape.map(() => [1, 2, -1, -2][draw(4)]!);
      const starts = shape.map((extent) => draw(extent));
      const ends = shape.map((extent, axis) => (steps[axis]! > 0 ? draw(extent + 1) : draw(extent + 1) - 1));
      const picked = shape.map((_, axis) => {
        const list: number[] = [];
        for (let p = starts[axis]!; steps[axis]! > 0 ? p < ends[axis]! : p > ends[axis]!; p += steps[axis]!)
          list.push(p);
        return list;
      });
      expect(slice(a, starts, ends, steps)).toEqual(
        expected(
          make,
          shape,
          picked.map((list) => list.length),
          (position) => position.map((p, axis) => picked[axis]![p]!),
        ),
      );

      if (shape.length === 0) return;
      const axis = draw(shape.length);
      const indexShape = [1 + draw(3), 1 + draw(2)];
      const indices = Array.from({ length: sizeOf(indexShape) }, () => draw(2 * shape[axis]!) - shape[axis]!);
      const gathered = [...shape.slice(0, axis), ...indexShape, ...shape.slice(axis + 1)];
      expect(gather(a, indices, indexShape, axis)).toEqual(
        expected(make, shape, gathered, (position) => {
          const index = indices[position[axis]! * indexShape[1]! + position[axis + 1]!]!;
          return position.toSpliced(axis, 2, (index + shape[axis]!) % shape[axis]!);
        }),
      );

      const cut = draw(shape[axis]! + 1);
      const none = shape.map(() => 0);
      const parts = [slice(a, none, shape.with(axis, cut)), slice(a, none.with(axis, cut), shape)];
      expect(concat(parts, axis)).toEqual(a);
      expect(concat([parts[1]!, parts[0]!, parts[1]!], axis - shape.length)).toEqual(
        expected(make, shape, shape.with(axis, 2 * shape[axis]! - cut), (position) =>
          position.with(axis, (position[axis]! + cut) % shape[axis]!),
        ),
      );
    }),
    { numRuns: 300 },
  );
});

test.each(Object.entries(kinds))("%s: expand repeats, reshape keeps, flat indices pack and unpack", (_, make) => {
  fc.assert(
    fc.property(shapePairs, ([to, from]) => {
      fc.pre(to.length >= from.length && from.every((n, i) => n === 1 || n === to[i + to.length - from.length]));
      const values = Array.from({ length: sizeOf(to) }, (_, i) => broadcastIndex(i, from, to) + 1);
      expect(expand(counted(make, from), to)).toEqual(make(to, values));
      expect(reshape(counted(make, to), [sizeOf(to)])).toEqual(counted(make, [sizeOf(to)]));
    }),
  );
  const square = counted(make, [3, 3]);
  const lower = Int32Array.of(0, 3, 4, 6, 7, 8);
  const packed = gatherFlat(square, lower, [6]);
  expect(packed).toEqual(make([6], [1, 4, 5, 7, 8, 9]));
  expect(scatterFlat(packed, lower, [3, 3])).toEqual(make([3, 3], [1, 0, 0, 4, 5, 0, 7, 8, 9]));
});

test("long runs are moved whole", () => {
  for (const make of Object.values(kinds)) {
    const a = counted(make, [3, 100]);
    expect(slice(a, [1, 10], [3, 90])).toEqual(expected(make, [3, 100], [2, 80], ([i, j]) => [i! + 1, j! + 10]));
    expect(gather(a, [2, 0], [2], 0)).toEqual(expected(make, [3, 100], [2, 100], ([i, j]) => [2 - 2 * i!, j!]));
  }
});

test("what does not fit is refused", () => {
  const [a, full] = [metaTensor([2, 3], 8), zeros([2, 3], 8)];
  for (const refused of [
    () => reshape(a, [5]),
    () => transpose(a, [0, 0]),
    () => transpose(a, [0]),
    () => transpose(a, [1, 2]),
    () => slice(a, [0, 0], [3, 3]),
    () => slice(a, [0], [1]),
    () => slice(a, [0, 0], [1, 1], [1]),
    () => slice(a, [0, 0], [1, 1], [1, 1, 1]),
    () => slice(a, [0, 0], [1, 1], [1, 0]),
    () => slice(a, [0, 0], [2, 3], [1, 0]),
    () => slice(a, [0, -1], [2, 3]),
    () => expand(a, [2, 4]),
    () => expand(a, [3]),
    () => concat([a, metaTensor([2, 4], 8)], 0),
    () => concat([a, metaTensor([2, 3], 9)], 0),
    () => concat([], 0),
    () => concat([a], 2),
    () => gather(a, [0, 1], [1], 0),
    () => gather(full, [2], [1], 0),
    () => gather(full, () => [0, 1], [1], 0),
    () => gatherFlat(full, Int32Array.of(6), [1]),
    () => scatterFlat(full, Int32Array.of(0, 1, 2, 3, 4, 9), [9]),
  ]) {
    expect(refused).toThrow(RangeError);
  }
});

test("positions are laid out only where there are elements", () => {
  const refuse = (): readonly number[] => {
    throw new Error("not needed");
  };
  expect(gather(metaTensor([2, 3], 8), refuse, [5], 0)).toEqual(metaTensor([5, 3], 8));
  expect([...gatherFlat(zeros([2, 3], 8), () => [5, -1], [2]).data!]).toEqual([0, 0]);
  expect(() => gather(zeros([2, 3], 8), refuse, [5], 0)).toThrow("not needed");
});

test("a meta tensor makes a meta tensor", () => {
  const a = metaTensor([2, 3], 40);
  expect(reshape(a, [6])).toEqual(metaTensor([6], 40));
  expect(transpose(a, [1, 0])).toEqual(metaTensor([3, 2], 40));
  expect(slice(a, [0, 1], [2, 3])).toEqual(metaTensor([2, 2], 40));
  expect(expand(a, [4, 2, 3])).toEqual(metaTensor([4, 2, 3], 40));
  expect(concat([tensorOf([1, 3], 40, [1n, 2n, 3n]), a], 0)).toEqual(metaTensor([3, 3], 40));
  expect(gather(a, [1], [], 1)).toEqual(metaTensor([2], 40));
  expect(gatherFlat(a, Int32Array.of(5), [1])).toEqual(metaTensor([1], 40));
  expect(scatterFlat(a, Int32Array.of(0, 1, 2, 3, 4, 5), [9])).toEqual(metaTensor([9], 40));
  expect(transpose(intTensor([2, 3], undefined), [1, 0])).toEqual(intTensor([3, 2], undefined));
});
