import fc from "fast-check";
import { expect } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { type Builder, createBuilder } from "../../../../ir/builder.ts";
import { interpret } from "../../../../ir/interpret.ts";
import { type Module, opsOf } from "../../../../ir/module.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { f32, sizeOf } from "../../../../ir/type.ts";
import { verify } from "../../../../ir/verify.ts";
import { worst } from "./recorded.ts";

/** A module of the import stage with constants that fusions can read. */
export interface Sketch {
  readonly builder: Builder;
  readonly x: (name: string, ...shape: number[]) => string;
  readonly constant: (value: number | Tensor) => string;
  readonly op: (name: string, ...operands: string[]) => string;
}

export interface Made {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, Tensor>;
}

export function sketch(build: (sketch: Sketch) => string): Made {
  const builder = createBuilder("m", "import");
  const weights = new Map<string, Tensor>();
  const constant = (value: number | Tensor): string => {
    const data = typeof value === "number" ? tensor([], [value]) : value;
    const key = `constant:${weights.size}`;
    weights.set(key, data);
    return builder.param(`c${weights.size}`, { label: "public", element: f32, shape: data.shape }, key);
  };
  const x = (name: string, ...shape: number[]): string => builder.input(name, { label: "client", element: f32, shape });
  const op = (name: string, ...operands: string[]): string => builder.op(name, operands);
  builder.output(build({ builder, x, constant, op }));
  return { module: builder.finish(), weights };
}

/** Inputs in [−2, 2]; random booleans, but the first of each row is true. */
function draw(module: Module, seed: number): ReadonlyMap<string, Tensor> {
  const [numbers] = fc.sample(
    fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 4000, maxLength: 4000 }),
    {
      numRuns: 1,
      seed,
    },
  );
  let at = 0;
  return new Map(
    module.inputs.map((id) => {
      const { element, shape } = module.values[id]!.type;
      const width = shape.at(-1)!;
      const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
        const value = numbers![at++ % 4000]!;
        return element.kind === "bool" ? Number(i % width === 0 || value > 0) : value;
      });
      return [id, { shape, data }];
    }),
  );
}

function countsOf(module: Module): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of opsOf(module)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The remaining operators, after a check that the module computes the same. */
export function settled({ module, weights }: Made): Readonly<Record<string, number>> {
  expect(verify(module)).toEqual([]);
  const after = fuseOperators(module, weights);
  expect(verify(after.module)).toEqual([]);
  expect(fuseOperators(after.module, after.weights).module).toEqual(after.module);
  for (const seed of [1, 2, 3]) {
    const inputs = draw(module, seed);
    const [before] = [...interpret(module, weights, inputs).values()];
    const [now] = [...interpret(after.module, after.weights, inputs).values()];
    expect(worst(now!, before!)).toBeLessThan(1e-6);
  }
  return countsOf(after.module);
}

export const single = (value: number): number => Math.fround(value);
