import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { type Compilation, compileModel } from "../../../compiler/compile/compile.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { opsOf } from "../../../ir/module.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { type AttentionModel, attentionModel, rowsOf } from "./attention-model.ts";
import { farthest, runOnnx, studentAt } from "./student-models.ts";
import { tune } from "./tuned-student.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-freezing-"));
afterAll(() => rmSync(dir, { recursive: true }));

const spec: AttentionModel = { layers: 2, heads: 4, groups: 4, depth: 4, rows: 4, rope: true, bias: false };
const at = (name: string): string => join(dir, name);
writeFileSync(at("base.onnx"), attentionModel(spec));
writeFileSync(
  at("x.npz"),
  writeNpz(new Map([["x", { dtype: "float32" as const, tensor: rowsOf(spec).get("x")!.tensor }]])),
);
const inputs = readInputFiles([at("x.npz")]);

/** The base with these weights trained; their values decide ownership. */
function trained(name: string, weights: readonly string[], base = at("base.onnx")): ModelOptions {
  const model = at(`${name}.onnx`);
  tune(base, model, weights, 0.05);
  return { model, base, reveal: { y: "client" }, calibrate: at("x.npz") };
}

const origins = ({ module }: Compilation): ReadonlySet<string> =>
  new Set(opsOf(module).map(({ origin }) => origin.split("/").slice(1, 4).join("/")));

/** Scores that a softmax weighs: H · T · S of every attention. */
const scoresOf = ({ module }: Compilation): number =>
  opsOf(module)
    .filter(({ name }) => name === "attention")
    .reduce((sum, { operands: [q, k] }) => {
      const [, heads, rows] = module.values[q!]!.type.shape as [number, number, number];
      return sum + heads * rows * module.values[k!]!.type.shape[2]!;
    }, 0);

const bytesOf = ({ manifest }: Compilation): number =>
  Object.values(manifest.predicted.online.bytes).reduce((sum, bytes) => sum + bytes, 0);

describe("the frozen part", () => {
  it("is found from the weights, also in the middle of a layer", () => {
    // Only the output projection of the last attention is trained: the client computes everything before it.
    const inside = compileModel(resolveModelOptions(trained("o", ["layers.1.attn.o.weight"])));
    expect(opsOf(inside.module).filter(({ name }) => name === "attention")).toEqual([]);
    expect(opsOf(inside.module).filter(({ origin }) => origin.startsWith("/layers.0"))).toEqual([]);
    expect(inside.manifest.cuts).toHaveLength(2);

    // Queries alone are trained: keys and values of that layer stay with the client, and enter as shares.
    const queries = compileModel(resolveModelOptions(trained("q", ["layers.1.attn.q.weight"])));
    expect(opsOf(queries.module).filter(({ name }) => name === "attention")).toHaveLength(1);
    const products = opsOf(queries.module)
      .filter(({ name }) => name === "matmul")
      .map(({ origin }) => origin);
    expect(products.filter((origin) => /\/(k|v)\/MatMul/.test(origin) || origin.startsWith("/layers.0"))).toEqual([]);
    expect(bytesOf(inside)).toBeLessThan(bytesOf(queries));
  });

  it("gives the tuned model's results, wherever the boundary lies", async () => {
    for (const weights of [["layers.1.attn.q.weight"], ["layers.0.attn.v.weight", "layers.1.attn.o.weight"]]) {
      const out = at(`run-${weights.length}`);
      const options = trained(`run-${weights.length}`, weights);
      build(out, options);
      const [wanted] = [...(await runOnnx(options.model, inputs)).values()];
      const { outputs, report } = await queryOnce(out, [at("x.npz")]);
      expect(farthest(outputs.get("y")!, wanted!)).toBeLessThan(await declaredError(out, at("x.npz")));
      expect(report.measured).toEqual(report.predicted);
    }
  });

  it("stays on shares after a private layer, and opens no value between", () => {
    const first = trained("sandwich", ["layers.0.attn.q.weight"]);
    const artifacts = compileModel(resolveModelOptions(first));
    expect(origins(artifacts)).toContain("layers.1/attn/q");
    expect(opsOf(artifacts.module).filter(({ name }) => name === "reveal")).toHaveLength(1);
    const [inner] = opsOf(artifacts.stages.get("import")!).filter(
      ({ origin }) => origin.startsWith("/layers.0") && origin.includes("Add"),
    );
    const reveal = { ...first.reveal, [inner!.result]: "client" as const };
    expect(codesOf(() => compileModel(resolveModelOptions({ ...first, reveal })))).toEqual(["MRL0303"]);
  });
});

describe("a student that was tuned", () => {
  it("compiles with m times fewer softmaxes", async () => {
    const private_ = ["q", "k", "v", "o"].map((name) => `layers.1.attn.${name}.weight`);
    const whole = compileModel(resolveModelOptions(trained("whole", private_)));
    const sizes = await Promise.all(
      ([2, 4] as const).map(async (size) => {
        const student = at(`merged-${size}.onnx`);
        const { manifest } = studentAt(student, {
          model: at("base.onnx"),
          freeze: 0.5,
          heads: { what: "merge", size, grouping: "similarity" },
        });
        expect(manifest.heads!.attention.map(({ layer }) => layer)).toEqual([1]);
        const names = manifest.weights.filter((weight) => weight.trained).map(({ name }) => name);
        const options = trained(
          `tuned-${size}`,
          names.filter((name) => name !== "head.weight"),
          student,
        );
        const out = at(`merged-${size}`);
        const artifacts = build(out, options);
        expect(opsOf(artifacts.module).filter(({ origin }) => origin.startsWith("/layers.0"))).toEqual([]);
        const [wanted] = [...(await runOnnx(options.model, inputs)).values()];
        const { outputs } = await queryOnce(out, [at("x.npz")]);
        expect(farthest(outputs.get("y")!, wanted!)).toBeLessThan(await declaredError(out, at("x.npz")));
        return artifacts;
      }),
    );
    expect(sizes.map(scoresOf)).toEqual([scoresOf(whole) / 2, scoresOf(whole) / 4]);
    const dealt = [whole, ...sizes].map(({ manifest }) =>
      Object.values(manifest.predicted.offline.bytes).reduce((sum, bytes) => sum + bytes, 0),
    );
    expect(dealt[1]).toBeLessThan(dealt[0]!);
    expect(dealt[2]).toBeLessThan(dealt[1]!);
    expect(bytesOf(sizes[1]!)).toBeLessThan(bytesOf(whole));
  });
});
