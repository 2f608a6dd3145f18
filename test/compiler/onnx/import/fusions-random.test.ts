import fc from "fast-check";
import { expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { infer } from "../../../../ir/infer.ts";
import { interpret } from "../../../../ir/interpret.ts";
import type { Module } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { verify } from "../../../../ir/verify.ts";
import { arbitraryModule, indexInput } from "../../../harness/arbitrary-module.ts";

/** Numbers that fusions match, and others. */
const choices = [0, 1, 2, 0.5, -1, 3, 0.25];

function fill(module: Module, id: string, pick: (at: number) => number): Tensor {
  const { element, shape } = module.values[id]!.type;
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, at) => {
    if (id === indexInput) return -(at % 2);
    return element.kind === "bool" ? at % 2 : pick(at);
  });
  return { shape, data };
}

/** A random module whose parameters are constants, which fusions can read. */
function withConstants(module: Module): Module {
  const params = Object.fromEntries(Object.entries(module.params).map(([id]) => [id, `constant:${id}`]));
  const labels = Object.entries(module.values).map(([id, value]) => {
    return [id, id in params ? { ...value, type: { ...value.type, label: "public" } } : value] as const;
  });
  return infer({ ...module, params, values: Object.fromEntries(labels) as Module["values"] });
}

/** Few operators at a time, so that they meet in the patterns of fusions; then the fusions that must have applied. */
const groups: readonly (readonly [operators: string, recognised: string])[] = [
  ["transpose reshape cast", "double-transpose double-reshape cast-chain"],
  ["mul add div pow sqrt reciprocal", "neutral-element power reciprocal"],
  ["mul sigmoid", "silu"],
  ["softmax matmul mul transpose", "double-transpose"],
  ["attention mul transpose", "clamp-mask"],
  ["reduce-mean sub mul add sqrt div", "reciprocal neutral-element"],
  ["where maximum minimum neg relu abs", "known-choice repeated"],
];

it.each(groups)("keeps the meaning of modules of %s", (operators, recognised) => {
  const used = new Map<string, number>();
  fc.assert(
    fc.property(
      arbitraryModule({ operators: operators.split(" "), tries: 20 }),
      fc.nat({ max: 1000 }),
      (drawn, salt) => {
        const module = withConstants(drawn);
        const weights = new Map(
          Object.entries(module.params).map(([id, key], n) => [key, fill(module, id, () => choices[(n + salt) % 7]!)]),
        );
        const inputs = new Map(
          module.inputs.map((id, n) => [id, fill(module, id, (at) => Math.sin(at + n + salt) * 2)]),
        );
        const after = fuseOperators(module, weights);
        for (const [name, count] of after.fusions) used.set(name, (used.get(name) ?? 0) + count);
        expect(verify(infer(after.module))).toEqual([]);
        const expected = interpret(module, weights, inputs);
        const found = interpret(after.module, after.weights, inputs);
        for (const [id, { shape, data }] of expected) {
          expect(found.get(id)!.shape).toEqual(shape);
          const finite = data.every(Number.isFinite);
          // NaN and infinities: laws of real numbers.
          if (!finite) continue;
          found.get(id)!.data.forEach((value, at) => {
            expect(Math.abs(value - data[at]!)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(data[at]!)));
          });
        }
      },
    ),
    { numRuns: 200, seed: 1 },
  );
  expect([...used.keys()]).toEqual(expect.arrayContaining(recognised.split(" ")));
});
