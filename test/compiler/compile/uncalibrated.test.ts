import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

const folder = mkdtempSync(join(tmpdir(), "marillc-no-samples-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A norm of (2^doublings · table[x] · a · b), all of it the server's. */
function written(name: string, doublings: number, by: number): string {
  const numbers = (count: number, at: number) => Array.from({ length: count }, (_, i) => ((i * 7 + at + by) % 11) / 11);
  const sums = Array.from({ length: doublings }, (_, i) => node("Add", [`s${i}`, `s${i}`], [`s${i + 1}`]));
  const file = join(folder, name);
  const graph = {
    name: "g",
    input: [{ name: "x", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 3 }] } } } }],
    output: [floatInfo("y", 3, 4)],
    initializer: [
      floatTensor("table.weight", [5, 4], numbers(20, 0)),
      floatTensor("a.weight", [4, 4], numbers(16, 1)),
      floatTensor("b.weight", [4, 4], numbers(16, 2)),
      floatTensor("norm.weight", [4], [1, 1.5, 1, 1.25]),
    ],
    node: [
      node("Gather", ["table.weight", "x"], ["rows"]),
      node("MatMul", ["rows", "a.weight"], ["h"]),
      node("MatMul", ["h", "b.weight"], ["s0"]),
      ...sums,
      node("LayerNormalization", [`s${doublings}`, "norm.weight"], ["y"]),
    ],
  };
  writeFileSync(file, modelBytes(graph));
  return file;
}

it.each([
  0, 1, 2,
])("a norm of 2^%i times the rows compiles without samples, though its exponents exceed 2^50", (doublings) => {
  const [model, base] = [written("model.onnx", doublings, 0), written("base.onnx", doublings, 1)];
  const { manifest } = compileModel(resolveModelOptions({ model, base, private: ["*"], reveal: { y: "client" } }));
  expect(manifest.reveals).toHaveLength(1);
});
