import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compile } from "../../harness/hostile/cases.ts";
import { graph, integers, model, withAttributes } from "../../harness/hostile/models.ts";
import { codesOf, floatInfo, floatTensor, node } from "../onnx/format/build-model.ts";

const temporary = mkdtempSync(join(tmpdir(), "marillc-found-"));
afterAll(() => rmSync(temporary, { recursive: true }));

function codes(bytes: Uint8Array): readonly string[] {
  const folder = mkdtempSync(join(temporary, "model-"));
  const file = join(folder, "model.onnx");
  writeFileSync(file, bytes);
  return codesOf(() => compile(file, folder));
}

describe("what the fuzzer found", () => {
  it("a private mask of scores does not decide what the module is", () => {
    const mask = floatTensor("mask.weight", [1, 4], [-1e30, 0.5, 0.25, 0.125]);
    const nodes = [
      node("MatMul", ["x", "layer.weight"], ["h"]),
      node("Add", ["h", "mask.weight"], ["s"]),
      withAttributes(node("Softmax", ["s"], ["y"]), { axis: -1 }),
    ];
    expect(codes(model({ initializer: [...graph().initializer!, mask], node: nodes }))).toContain("MRL0504");
  });

  it("a computed index outside the table is refused when inputs are run", () => {
    const tuples = integers("tuples", 4, 1);
    const table = floatTensor("table", [2, 4], [1, 2, 3, 4, 5, 6, 7, 9]);
    const nodes = [
      node("MatMul", ["x", "layer.weight"], ["h"]),
      withAttributes(node("Cast", ["x"], ["whole"]), { to: 7 }),
      node("Reshape", ["whole", "tuples"], ["places"]),
      node("GatherND", ["table", "places"], ["row"]),
      node("ReduceSum", ["row"], ["sum"]),
      node("Add", ["h", "sum"], ["y"]),
    ];
    expect(codes(model({ initializer: [...graph().initializer!, table, tuples], node: nodes }))).toEqual(["MRL0393"]);
  });

  it("running sums and triangles of secrets are computed on shares", () => {
    const nodes = [
      node("MatMul", ["x", "layer.weight"], ["h"]),
      node("CumSum", ["h", "axis"], ["sums"]),
      withAttributes(node("Trilu", ["sums"], ["y"]), { upper: 0 }),
    ];
    const axis = { ...integers("axis", 1), dims: [] };
    expect(codes(model({ initializer: [...graph().initializer!, axis], node: nodes }))).toEqual([]);
  });

  it("indices that are not integers are refused, whoever knows them", () => {
    const half = floatTensor("half.weight", [2], [0.5, 1]);
    const nodes = [node("Gather", ["layer.weight", "half.weight"], ["rows"]), node("MatMul", ["x", "rows"], ["y"])];
    expect(codes(model({ initializer: [...graph().initializer!, half], node: nodes }))).toEqual(["MRL0404"]);
  });

  describe("a norm without an epsilon", () => {
    /** The base's rows are equal; the model's are if `entry` is. */
    const normed = (entry: (at: number) => number): Uint8Array => {
      const weight = floatTensor(
        "layer.weight",
        [4, 4],
        Array.from({ length: 16 }, (_, at) => entry(at)),
      );
      const gain = floatTensor("norm.weight", [4], [1, 1.5, 1, 1.25]);
      const norm = withAttributes(node("LayerNormalization", ["h", "norm.weight"], ["y"]), { epsilon: { float: 0 } });
      return model({ initializer: [weight, gain], node: [node("MatMul", ["x", "layer.weight"], ["h"]), norm] });
    };

    it("is refused when the model itself answers a sample with NaN", () => {
      expect(codes(normed(() => 0.5))).toEqual(["MRL0507"]);
    });

    it("gives no bounds where the surrogate of private weights alone leads to NaN", () => {
      expect(codes(normed((at) => ((at * 7) % 16) / 16))).toContain("MRL0505");
    });
  });

  it("a maximum over a million columns of padding is counted, not unrolled", () => {
    const attributes = { kernel_shape: [2, 2], pads: [1, 2 ** 20, 1, 1] };
    const nodes = [withAttributes(node("MaxPool", ["x"], ["y"]), attributes)];
    const start = performance.now();
    expect(codes(model({ input: [floatInfo("x", 1, 1, 4, 4)], node: nodes }))).toEqual(["MRL0404"]);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
