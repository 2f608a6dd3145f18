import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { attachAdapter } from "../../../compiler/adapters/attach-adapter.ts";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openBaseModel } from "../../../compiler/ownership/base-model.ts";
import { decideOwnership } from "../../../compiler/ownership/decide-ownership.ts";
import { createSurrogate } from "../../../compiler/ownership/public-surrogate.ts";
import { matmulOf } from "../../../ir/ops/helpers/matmul.ts";
import { zip } from "../../../ir/ops/helpers/tensors.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { verify } from "../../../ir/verify.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { countOps, readRecorded, runRecorded, tensorFrom, worst } from "../onnx/import/recorded.ts";

const fixture = (name: string) => join(models, name);
const exportedModel = (name: string) => readModel(join(fixture(name), "model.onnx"));
const importedLlama = () => importModel(exportedModel("dev_llama_ts17_static"));
const llamaBase = () => openBaseModel(fixture("dev_llama_ts17_static"));
const llamaAdapter = () => readPeftAdapter(join(fixture("dev_lora_llama_ts17_static"), "adapter"));
const unmergedLlama = () => readRecorded(fixture("dev_lora_llama_ts17_static"));

const privateNames = ({ table }: ReturnType<typeof decideOwnership>) =>
  table.filter(({ label }) => label === "server").map(({ name }) => name);

describe.each(["dev_llama_ts17_static", "dev_llama_dy18_static"])("an adapter that is attached to %s", (name) => {
  const attached = () => {
    const ownership = decideOwnership(exportedModel(name), { adapter: llamaAdapter(), base: llamaBase() });
    const imported = attachAdapter(importModel(exportedModel(name), { ownership }), llamaAdapter());
    return { ownership, imported };
  };

  it("is all that is private", () => {
    const { ownership, imported } = attached();

    const { module } = imported;
    const secrets = Object.entries(module.params)
      .filter(([id]) => module.values[id]!.type.label === "server")
      .map(([, key]) => key);
    expect(verify(module)).toEqual([]);
    expect(secrets).toHaveLength(8);
    expect(secrets.sort()).toEqual(privateNames(ownership).sort());
  });

  it("gives the outputs of the unmerged export", () => {
    const recorded = unmergedLlama();
    const { imported } = attached();

    const output = runRecorded(imported, recorded);

    expect(worst(output, tensorFrom(recorded.outputs[0]!))).toBeLessThan(1e-5);
  });

  it("has a surrogate that computes the base model, because B = 0", () => {
    const recorded = unmergedLlama();
    const { ownership, imported } = attached();

    const surrogate = createSurrogate(imported, ownership);

    expect(surrogate.initial).toEqual([]);
    const output = runRecorded({ ...imported, weights: surrogate.weights }, recorded);
    // The exporters' tables of cosines differ in float32.
    expect(worst(output, runRecorded(importedLlama(), recorded))).toBeLessThan(1e-6);
  });
});

describe("a model with an adapter", () => {
  const waves = (rows: number, columns: number): Tensor =>
    tensor(
      [rows, columns],
      Float64Array.from({ length: rows * columns }, (_, at) => Math.sin(at * 1.3)),
    );
  const noDims = new Map<string, number>();
  const oneSentence = new Map([
    ["batch", 1],
    ["seq", 6],
  ]);

  it.each([
    { name: "dev_gpt2_ts17_static", module: "transformer.h.1.attn.c_attn", inner: 48, outer: 144, dims: noDims },
    {
      name: "dev_bert_dy23_static",
      module: "bert.encoder.layer.0.attention.self.query",
      inner: 48,
      outer: 48,
      dims: noDims,
    },
    {
      name: "dev_bert_ts14_dynamic",
      module: "bert.encoder.layer.1.intermediate.dense",
      inner: 48,
      outer: 64,
      dims: oneSentence,
    },
  ])("of $module is $name with W + A·B", ({ name, module, inner, outer, dims }) => {
    // given
    const rank = 2;
    const a = waves(inner, rank);
    const b = waves(rank, outer);
    const recorded = readRecorded(fixture(name));
    const plain = importModel(recorded.model, { dims });
    const weight = `${module}.weight`;
    const sum = zip(plain.weights.get(weight)!, matmulOf(a, b), (x, y) => x + y);
    const merged = runRecorded({ ...plain, weights: new Map(plain.weights).set(weight, sum) }, recorded);

    // when
    const tuned = attachAdapter(plain, {
      folder: "synthetic",
      modules: [{ module, a, b, rank, scale: 1 }],
      savedWeights: [],
      fanInFanOut: false,
    });

    // then
    expect(worst(runRecorded(tuned, recorded), merged)).toBeLessThan(1e-9);
    expect(worst(merged, runRecorded(plain, recorded))).toBeGreaterThan(1e-3);
  });
});

describe("an unmerged LoRA graph", () => {
  const importedPrivately = () => {
    const recorded = unmergedLlama();
    const ownership = decideOwnership(recorded.model, { loraPrivate: true });
    const imported = importModel(recorded.model, { ownership });
    return { recorded, ownership, imported };
  };

  it("has A and B as private weights on request", () => {
    const { ownership, imported } = importedPrivately();

    expect(privateNames(ownership)).toHaveLength(8);
    expect(createSurrogate(imported, ownership).initial).toEqual([]);
  });

  it("has the scale folded into B", () => {
    const { modules } = llamaAdapter();

    const { imported } = importedPrivately();

    expect(countOps(imported)).toMatchObject({ matmul: 23, mul: 7 });
    for (const { module, a, b } of modules) {
      expect(worst(imported.weights.get(`${module}.lora_A.weight`)!, a)).toBe(0);
      expect(worst(imported.weights.get(`${module}.lora_B.weight`)!, b)).toBeLessThan(1e-6);
    }
  });

  it("gives the outputs of the export", () => {
    const { recorded, imported } = importedPrivately();

    const output = runRecorded(imported, recorded);

    expect(worst(output, tensorFrom(recorded.outputs[0]!))).toBeLessThan(1e-5);
  });
});

describe("an adapter of another base", () => {
  it("is refused with all of its modules at once", () => {
    const gpt2 = importModel(exportedModel("dev_gpt2_ts17_static"));

    const codes = codesOf(() => attachAdapter(gpt2, llamaAdapter()));

    expect(codes).toEqual(["MRL0426", "MRL0426", "MRL0426", "MRL0426"]);
  });

  it("is refused when a module has another width", () => {
    const adapter = llamaAdapter();
    const [firstModule, ...others] = adapter.modules;
    const wider = { ...firstModule!, a: { shape: [50, 2], data: new Float64Array(100) } };

    const codes = codesOf(() => attachAdapter(importedLlama(), { ...adapter, modules: [wider, ...others] }));

    expect(codes).toEqual(["MRL0423"]);
  });
});

it("only an A that equals the one it started from is public", () => {
  const adapter = llamaAdapter();
  const [first] = adapter.modules;
  const started = (change: number) => {
    const a = tensor(
      first!.a.shape,
      Float64Array.from(first!.a.data, (x, i) => (i === 0 ? x + change : x)),
    );
    const baseAdapter = {
      ...adapter,
      modules: adapter.modules.map((each) => (each === first ? { ...each, a } : each)),
    };
    const { table } = decideOwnership(exportedModel("dev_llama_ts17_static"), { adapter, baseAdapter });
    return table.find(({ name }) => name === `${first!.module}.lora_A`)!.label;
  };
  expect([started(0), started(2 ** -20)]).toEqual(["public", "server"]);
});
