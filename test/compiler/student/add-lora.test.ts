import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { type Compilation, compileModel } from "../../../compiler/compile/compile.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { opsOf } from "../../../ir/module.ts";
import { tensor } from "../../../ir/tensor.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { farthest, runOnnx, studentAt } from "./student-models.ts";
import { tune } from "./tuned-student.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-adapters-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [rows, width, inner, rank] = [6, 32, 48, 2];
const at = (name: string): string => join(dir, name);
const matrix = (name: string, from: number, to: number, seed: number) =>
  floatTensor(name, [from, to], numbers(from * to, seed, 1.5 / Math.sqrt(from)));

/** x → up → relu → down → + x → head: one layer of linear parts. */
const layer = modelBytes({
  name: "layer",
  initializer: [
    matrix("layers.0.up.weight", width, inner, 1),
    matrix("layers.0.down.weight", inner, width, 2),
    matrix("head.weight", width, 8, 3),
  ],
  input: [floatInfo("x", 1, rows, width)],
  output: [floatInfo("y", 1, rows, 8)],
  node: [
    node("MatMul", ["x", "layers.0.up.weight"], ["wide"], "/layers.0/up/MatMul"),
    node("Relu", ["wide"], ["active"], "/layers.0/Relu"),
    node("MatMul", ["active", "layers.0.down.weight"], ["narrow"], "/layers.0/down/MatMul"),
    node("Add", ["x", "narrow"], ["sum"], "/layers.0/Add"),
    node("MatMul", ["sum", "head.weight"], ["y"], "/head/MatMul"),
  ],
});
writeFileSync(at("layer.onnx"), layer);
const x = tensor([1, rows, width], numbers(rows * width, 9, 1));
writeFileSync(at("x.npz"), writeNpz(new Map([["x", { dtype: "float32" as const, tensor: x }]])));
const inputs = readInputFiles([at("x.npz")]);

/** The student with low-rank changes, tuned, compiled against the student as it was. */
function tuned(name: string, freezeA: boolean): ModelOptions {
  const student = at(`${name}-student.onnx`);
  const { manifest } = studentAt(student, {
    model: at("layer.onnx"),
    lora: { rank, alpha: 4, freezeA, targets: ["up", "down"] },
  });
  const model = at(`${name}.onnx`);
  tune(
    student,
    model,
    manifest.weights.filter(({ trained, change }) => trained && change === "new").map((weight) => weight.name),
  );
  return { model, base: student, reveal: { y: "client" }, calibrate: at("x.npz") };
}

/** Shapes of factors of matrices that only the server knows: what is sent for each. */
const opened = ({ module }: Compilation): readonly (readonly number[])[] =>
  opsOf(module)
    .filter(({ operands: [, w] }) => w !== undefined && module.values[w]!.type.label === "server")
    .flatMap(({ name, operands }) => {
      const [x, w] = operands.map((id) => module.values[id]!.type.shape);
      return { matmul: [x!], "low-rank": [x!, x!.with(-1, w![1]!)] }[name] ?? [];
    });

describe("LoRA", () => {
  it("opens a layer's input, or only the low-rank product when A is public", async () => {
    const [whole, frozen] = [tuned("lora", false), tuned("lora-fa", true)];
    const artifacts = [whole, frozen].map((options) => compileModel(resolveModelOptions(options))) as [
      Compilation,
      Compilation,
    ];
    // A of up and down, then B of each: m·k, and m·r.
    expect(opened(artifacts[0])).toEqual([
      [1, rows, width],
      [1, rows, rank],
      [1, rows, inner],
      [1, rows, rank],
    ]);
    expect(opened(artifacts[1])).toEqual([
      [1, rows, rank],
      [1, rows, rank],
    ]);
    const owners = artifacts.map(({ manifest }) => new Map(manifest.weights.map(({ name, label }) => [name, label])));
    expect(owners.map((labels) => labels.get("layers.0.up.lora_A.weight"))).toEqual(["server", "public"]);
    expect(owners.map((labels) => labels.get("layers.0.up.lora_B.weight"))).toEqual(["server", "server"]);
    const sent = artifacts.map(({ manifest }) => {
      const { online } = manifest.predicted;
      return Object.values(online.bytes).reduce((sum, bytes) => sum + bytes, 0);
    });
    expect(sent[1]).toBeLessThan(sent[0]!);

    const out = at("lora-fa");
    build(out, frozen);
    const [wanted] = [...(await runOnnx(frozen.model, inputs)).values()];
    const { outputs, report } = await queryOnce(out, [at("x.npz")]);
    expect(farthest(outputs.get("y")!, wanted!)).toBeLessThan(await declaredError(out, at("x.npz")));
    const [before] = [...(await runOnnx(frozen.base!, inputs)).values()];
    expect(farthest(wanted!, before!)).toBeGreaterThan(0.05);
    expect(report.measured).toEqual(report.predicted);
  });
});

describe("LoRA in a folder of its own", () => {
  /** As PEFT saves it: A [r, in], B [out, r]. */
  function adapter(name: string, seedOfA: number, seedOfB: number | undefined): string {
    const folder = at(name);
    mkdirSync(folder);
    const config = { peft_type: "LORA", r: rank, lora_alpha: 4, target_modules: ["up", "down"], bias: "none" };
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    const half = (path: string, shape: readonly number[], seed: number | undefined): SafetensorsTensor => {
      const count = shape[0]! * shape[1]!;
      const data = Float32Array.from(seed === undefined ? new Array<number>(count).fill(0) : numbers(count, seed, 0.3));
      return {
        name: `base_model.model.layers.0.${path}.weight`,
        dtype: "float32",
        shape,
        bytes: new Uint8Array(data.buffer),
      };
    };
    const tensors = [
      half("up.lora_A", [rank, width], seedOfA),
      half("up.lora_B", [inner, rank], seedOfB),
      half("down.lora_A", [rank, inner], seedOfA + 1),
      half("down.lora_B", [width, rank], seedOfB),
    ];
    writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
    return folder;
  }

  it("has a public A when it equals the public start", async () => {
    const [start, trained, other] = [
      adapter("start", 70, undefined),
      adapter("trained", 70, 80),
      adapter("other", 75, 80),
    ];
    const compile = (folder: string, base?: string): ModelOptions => ({
      model: at("layer.onnx"),
      adapter: folder,
      ...(base !== undefined && { baseAdapter: base }),
      reveal: { y: "client" },
      calibrate: at("x.npz"),
    });
    const [whole, frozen, foreign] = [compile(trained), compile(trained, start), compile(other, start)].map((options) =>
      compileModel(resolveModelOptions(options)),
    ) as [Compilation, Compilation, Compilation];
    const wide = [
      [1, rows, width],
      [1, rows, rank],
      [1, rows, inner],
      [1, rows, rank],
    ];
    expect(opened(whole)).toEqual(wide);
    expect(opened(frozen)).toEqual([
      [1, rows, rank],
      [1, rows, rank],
    ]);
    expect(opened(foreign)).toEqual(wide);
    const { adapter: _, ...alone } = compile(trained, start);
    expect(codesOf(() => compileModel(resolveModelOptions(alone)))).toEqual(["MRL0653"]);
    const a = frozen.manifest.weights.find(({ name }) => name === "layers.0.up.lora_A")!;
    expect(a).toMatchObject({ label: "public", why: "equal to that of start" });
    expect(a.sha256).toMatch(/^[0-9a-f]{64}$/);
    // The same function, whoever knows A.
    const results = await Promise.all(
      [compile(trained), compile(trained, start)].map(async (options, index) => {
        const out = at(`peft-${index}`);
        build(out, options);
        const error = await declaredError(out, at("x.npz"));
        return { found: (await queryOnce(out, [at("x.npz")])).outputs.get("y")!, error };
      }),
    );
    const [first, second] = results as [(typeof results)[0], (typeof results)[0]];
    expect(farthest(first.found, second.found)).toBeLessThan(first.error + second.error);
  });
});

describe("an adapter that does not feed back", () => {
  /** A public backbone of three layers; beside it private branches that read its hidden values and feed each other. */
  const backbone = (seed: number): Uint8Array =>
    modelBytes({
      name: "oneway",
      initializer: [
        ...[0, 1, 2].map((k) => matrix(`backbone.layers.${k}.weight`, width, width, 20 + k)),
        ...[0, 1, 2].map((k) => matrix(`adapter.${k}.weight`, width, 4, seed + k)),
        matrix("adapter.mix.weight", 4, 4, seed + 5),
        matrix("adapter.head.weight", 4, 3, seed + 6),
      ],
      input: [floatInfo("x", 1, rows, width)],
      output: [floatInfo("y", 1, rows, 3)],
      node: [
        ...[0, 1, 2].flatMap((k) => [
          node(
            "MatMul",
            [k === 0 ? "x" : `h${k - 1}`, `backbone.layers.${k}.weight`],
            [`p${k}`],
            `/backbone/layers.${k}/MatMul`,
          ),
          node("Relu", [`p${k}`], [`h${k}`], `/backbone/layers.${k}/Relu`),
          node("MatMul", [`h${k}`, `adapter.${k}.weight`], [`a${k}`], `/adapter/${k}/MatMul`),
        ]),
        node("Add", ["a0", "a1"], ["b0"], "/adapter/Add"),
        node("Relu", ["b0"], ["b1"], "/adapter/Relu"),
        node("MatMul", ["b1", "adapter.mix.weight"], ["b2"], "/adapter/mix/MatMul"),
        node("Add", ["b2", "a2"], ["b3"], "/adapter/Add_1"),
        node("MatMul", ["b3", "adapter.head.weight"], ["y"], "/adapter/head/MatMul"),
      ],
    });

  it("leaves the whole backbone to the client", async () => {
    writeFileSync(at("oneway.onnx"), backbone(40));
    writeFileSync(at("oneway-base.onnx"), backbone(60));
    const out = at("oneway");
    const options: ModelOptions = {
      model: at("oneway.onnx"),
      base: at("oneway-base.onnx"),
      reveal: { y: "client" },
      calibrate: at("x.npz"),
    };
    const { module, manifest } = build(out, options);
    expect(opsOf(module).filter(({ origin }) => origin.includes("backbone"))).toEqual([]);
    expect(manifest.cuts.map((cut) => cut.tensor)).toEqual(["h0", "h1", "h2"]);
    expect(Object.values(module.params).filter((weight) => weight.includes("backbone"))).toEqual([]);
    const [wanted] = [...(await runOnnx(options.model, inputs)).values()];
    const { outputs } = await queryOnce(out, [at("x.npz")]);
    expect(farthest(outputs.get("y")!, wanted!)).toBeLessThan(await declaredError(out, at("x.npz")));
  });
});
