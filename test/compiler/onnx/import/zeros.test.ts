import { expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { settled, sketch } from "./module-sketch.ts";

const zeros = (...shape: number[]) => tensor(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)));

it.each([
  ["a product of matrices", "matmul", [2, 3], [3, 4]],
  ["a product", "mul", [2, 4], [2, 4]],
] as const)("%s with a constant of zeros is 0, and adding it nothing", (_name, product, left, right) => {
  const made = sketch(({ x, constant, op }) => {
    const none = op(product, constant(zeros(...left)), x("w", ...right));
    return op("tanh", op("add", x("x", 2, 4), none));
  });
  expect(settled(made)).toEqual({ tanh: 1 });
});

it("a product of the client's value with zeros is known to all", () => {
  const made = sketch(({ x, constant, op }) =>
    op("add", x("x", 2, 4), op("matmul", x("w", 2, 3), constant(zeros(3, 4)))),
  );
  const { module } = fuseOperators(made.module, made.weights);
  expect(Object.keys(module.params).map((id) => module.values[id]!.type.label)).toEqual(["public"]);
});

it("a tensor of equal values is neutral when shapes do not change", () => {
  const made = sketch(({ x, constant, op }) =>
    op("tanh", op("mul", x("x", 2, 3), constant(tensor([2, 3], Array(6).fill(1))))),
  );
  expect(settled(made)).toEqual({ tanh: 1 });
  const wide = sketch(({ x, constant, op }) =>
    op("tanh", op("mul", x("x", 3), constant(tensor([2, 3], Array(6).fill(1))))),
  );
  expect(settled(wide)).toEqual({ mul: 1, tanh: 1 });
});
