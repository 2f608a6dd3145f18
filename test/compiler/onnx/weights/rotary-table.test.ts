import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { catalogWeights } from "../../../../compiler/onnx/weights/catalog-weights.ts";
import { isRotaryTable } from "../../../../compiler/onnx/weights/rotary-table.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";

const fill = (shape: number[], value: (row: number, column: number) => number): Tensor => {
  const columns = shape.at(-1)!;
  const single = (_: unknown, at: number): number => Math.fround(value(Math.floor(at / columns), at % columns));
  return tensor(shape, Float64Array.from({ length: sizeOf(shape) }, single));
};
/** Frequencies as llama3 scales them: the low ones eight times slower. */
const frequency = (column: number): number => 5e5 ** (-(column % 4) / 4) / (column % 4 > 1 ? 8 : 1);
const path = ["model.rotary_emb.inv_freq"];

const tables: readonly (readonly [string, Tensor])[] = [
  ["frequencies", fill([1, 4, 1], (row) => frequency(row))],
  ["angles behind a cache", fill([1, 50, 8], (row, column) => (row + 900) * frequency(column))],
  ["cosines, of an amplitude", fill([1, 1, 50, 8], (row, column) => 1.2 * Math.cos(row * frequency(column)))],
  ["sines", fill([50, 8], (row, column) => Math.sin((row + 7) * frequency(column)))],
  ["cosines of one place", fill([1, 8], (_, column) => Math.cos(77 * frequency(column)))],
];

describe("isRotary", () => {
  it.each(tables)("recognizes %s by their names and values", (_, table) => {
    expect(isRotaryTable(path, table)).toBe(true);
    expect(isRotaryTable(["/m/model/rotary_emb/Constant_output_0"], table)).toBe(true);
    expect(isRotaryTable(["unsqueeze_14", "cos", ...path], table)).toBe(true);
    // No module name, another module's, and one of another module among them.
    for (const names of [
      [],
      ["unsqueeze_14"],
      ["model.rotaryish"],
      ["model.norm.weight"],
      [...path, "model.norm.weight"],
    ]) {
      expect(isRotaryTable(names, table)).toBe(false);
    }
  });

  it.each(tables.slice(0, 4))("detects one changed value in %s", (_, { shape, data }) => {
    const changed = data.slice();
    changed[3] = changed[3]! * 1.001 + 1e-2;
    expect(isRotaryTable(path, { shape, data: changed })).toBe(false);
  });

  it("recognizes no weight, whatever its name", () => {
    expect(
      isRotaryTable(
        path,
        fill([8, 8], (row, column) => Math.sin((row * 8 + column) ** 2)),
      ),
    ).toBe(false);
    expect(
      isRotaryTable(
        path,
        fill([8], (_, column) => (column % 2 === 0 ? 0.3 : 0.7)),
      ),
    ).toBe(false);
    expect(
      isRotaryTable(
        path,
        fill([8, 2], (row) => 1.3 ** row),
      ),
    ).toBe(false);
  });

  it("leaves a model's buffer public when all trained weights are private", () => {
    const { data, shape } = tables[0]![1];
    const graph = {
      name: "g",
      input: [floatInfo("x", 4, 4)],
      output: [floatInfo("y", 4, 4)],
      initializer: [
        floatTensor("m.model.rotary_emb.inv_freq", [...shape], [...data]),
        floatTensor("m.model.norm.weight", [1, 4, 1], [...data]),
      ],
      node: [
        node("Mul", ["x", "m.model.rotary_emb.inv_freq"], ["a"]),
        node("Mul", ["a", "m.model.norm.weight"], ["y"]),
      ],
    };
    const { weights, constants } = catalogWeights(decodeModel(modelBytes(graph), "rotary.onnx"));
    expect([...weights.keys()]).toEqual(["m.model.norm.weight"]);
    expect([...constants]).toEqual(["m.model.rotary_emb.inv_freq"]);
  });
});
