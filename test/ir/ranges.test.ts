import fc from "fast-check";
import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf, typeOf } from "../../ir/module.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { type Interval, sizeOf } from "../../ir/type.ts";
import { arbitraryModule, indexInput } from "../harness/arbitrary-module.ts";

/** Ranges of all values, propagated by the op tables from those of inputs and params. */
function rangesOf(module: Module, given: ReadonlyMap<string, Interval>): ReadonlyMap<string, Interval> {
  const ranges = new Map(given);
  for (const op of opsOf(module)) {
    const shapes = op.operands.map((id) => typeOf(module, id).shape);
    const operands = op.operands.map((id) => ranges.get(id)!);
    ranges.set(op.result, resultRange(opDef(op.name), operands, op.attrs, shapes));
  }
  return ranges;
}

function drawTensor(module: Module, id: string, seed: number, { lo, hi }: Interval): Tensor {
  const { shape, element } = typeOf(module, id);
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    // A fraction that varies over (0, 1): enough to hit ends and interior.
    const part = Math.abs(Math.sin((i + 1) * 12.9898 + seed));
    return element.kind === "f32" ? lo + (hi - lo) * part : lo + Math.round((hi - lo) * part);
  });
  return tensor(shape, data);
}

const bounds = fc
  .tuple(fc.integer({ min: -16, max: 16 }), fc.nat({ max: 16 }))
  .map(([at, width]) => ({ lo: at / 4, hi: (at + width) / 4 }));

test("every value lies in the range that the op tables give, whatever the operators", () => {
  const drawn = fc.record({
    module: arbitraryModule({ tries: 16 }),
    bounds: fc.array(bounds, { minLength: 8, maxLength: 8 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(drawn, ({ module, bounds: intervals, seed }) => {
      const outer = [...module.inputs, ...Object.keys(module.params)];
      const given = new Map(
        outer.map((id, index) => {
          const own = { [indexInput]: { lo: -1, hi: 0 }, flags: { lo: 0, hi: 1 } }[id];
          return [id, own ?? intervals[index % intervals.length]!] as const;
        }),
      );
      const ranges = rangesOf(module, given);
      const tensors = new Map(outer.map((id) => [id, drawTensor(module, id, seed, given.get(id)!)]));
      const weights = new Map(Object.entries(module.params).map(([id, name]) => [name, tensors.get(id)!]));
      interpret(module, weights, tensors, {
        observe: (id, { data }) => {
          const { lo, hi } = ranges.get(id)!;
          // Intervals hold for exact arithmetic; float64 rounds each of a few thousand operations by 2^-53.
          const slack = 1e-9 * (1 + Math.min(1e300, Math.abs(lo)) + Math.min(1e300, Math.abs(hi)));
          for (const x of data) {
            if (!Number.isNaN(x) && !(x >= lo - slack && x <= hi + slack))
              throw new Error(`%${id} is ${x}, not in [${lo}, ${hi}]`);
          }
        },
      });
    }),
    { numRuns: 400 },
  );
});

test("ranges of common operators are tight", () => {
  const range = (
    name: string,
    operands: readonly (readonly [number, number])[],
    shapes: readonly (readonly number[])[] = [],
  ) => {
    const { lo, hi } = resultRange(
      opDef(name),
      operands.map(([l, h]) => ({ lo: l, hi: h })),
      {},
      shapes,
    );
    return [lo, hi];
  };
  expect(
    range(
      "matmul",
      [
        [-1, 1],
        [0, 2],
      ],
      [
        [4, 8],
        [8, 2],
      ],
    ),
  ).toEqual([-16, 16]);
  expect(
    range("mul", [
      [-1, 3],
      [-2, 2],
    ]),
  ).toEqual([-6, 6]);
  expect(range("softmax", [[-9, 9]], [[4]])).toEqual([0, 1]);
  expect(range("rms-norm", [[-9, 9]], [[3, 16]])).toEqual([-4, 4]);
  expect(range("gelu", [[-8, 0]], [[1]])).toEqual([-0.1701, 0]);
  expect(range("silu", [[-8, 0]], [[1]])[0]).toBeCloseTo(-0.2784645, 6);
  expect(
    range("div", [
      [1, 2],
      [-1, 1],
    ]),
  ).toEqual([-Infinity, Infinity]);
  expect(
    range("sub", [
      [0, 1],
      [0, 5],
    ]),
  ).toEqual([-5, 1]);
});
