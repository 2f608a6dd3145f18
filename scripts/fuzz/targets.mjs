// What is done with a file: everything that a user's command would, up to the first refusal.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeOnnxAdapter } from "../../dist/compiler/adapters/onnx-adapter.js";
import { readAdapter } from "../../dist/compiler/adapters/peft-adapter.js";
import { compileModel } from "../../dist/compiler/compile/compile.js";
import { readInputs } from "../../dist/compiler/inputs/input-tensors.js";
import { decodeModel } from "../../dist/compiler/onnx/format/decode-model.js";
import { importModel } from "../../dist/compiler/onnx/import/import-model.js";
import { unpackQuantised } from "../../dist/compiler/onnx/normalize/dequantize-initializers.js";
import { writeNpz } from "../../dist/compiler/tensors/npz.js";
import { openSafetensors, readSafetensor } from "../../dist/compiler/tensors/safetensors.js";
import { opsOf } from "../../dist/ir/module.js";
import { mutateBytes, mutateModel, publicCounterpart } from "./mutate.mjs";
import { createRandom } from "./random.mjs";
import { adapterConfig, fixtures, inputs, models, onnxAdapters, safetensors } from "./seeds.mjs";

const folder = mkdtempSync(join(tmpdir(), "marillc-fuzz-"));
const samples = mkdtempSync(join(folder, "samples-"));
const size = (shape) => shape.reduce((product, extent) => product * extent, 1);
const small = Object.values(models);
/** A few elements: whatever a valid variant of a seed may have, it compiles in a moment. */
const cheapElements = 2 ** 12;

const save = (name, bytes) => {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
};

function tryModel(bytes, compiles) {
  const model = unpackQuantised(decodeModel(bytes, "fuzzed.onnx"));
  const symbols = model.graph.inputs.flatMap(({ name, dims }) =>
    (dims ?? []).flatMap((dim, axis) =>
      typeof dim === "string" ? [dim] : dim === undefined ? [`${name}.${axis}`] : [],
    ),
  );
  const dims = Object.fromEntries(symbols.map((symbol) => [symbol, 2]));
  const { module, inputs } = importModel(model, { dims: new Map(Object.entries(dims)) });
  const sizes = Object.values(module.values).map(({ type }) =>
    type.shape.reduce((product, extent) => product * extent, 1),
  );
  if (!compiles || opsOf(module).length > 60 || sizes.some((each) => each > cheapElements)) return;
  const reveal = model.graph.outputs.map(({ name }) => ({ output: name, to: "client" }));
  // Everything is private, and the base has other numbers.
  const base = save("base.onnx", publicCounterpart(bytes));
  compileModel({
    model: save("model.onnx", bytes),
    base,
    private: ["*"],
    dims,
    reveal,
    calibrate: samplesOf(inputs, module),
  });
}

/** One sample of ones for all inputs. */
function samplesOf(inputs, module) {
  const folder = join(samples, "one.npz");
  const ones = ({ shape }) => ({ dtype: "float32", tensor: { shape, data: new Float64Array(size(shape)).fill(1) } });
  writeFileSync(folder, writeNpz(new Map([...inputs].map(([name, id]) => [name, ones(module.values[id].type)]))));
  return samples;
}

function tryAdapter({ config, weights }) {
  save("adapter_config.json", config);
  save("adapter_model.safetensors", weights);
  readAdapter(folder);
}

function trySafetensors(bytes) {
  const store = openSafetensors(save("weights.safetensors", bytes));
  for (const name of store.entries.keys()) readSafetensor(store, name);
}

/** Kinds of cases with how often they are drawn, of 100. */
const kinds = [
  [40, "model", (random) => mutateModel(random.pick(small), random)],
  [25, "model-bytes", (random) => mutateBytes(random.pick(small), random, small)],
  [4, "fixture", (random) => mutateModel(random.pick(fixtures), random)],
  [4, "fixture-bytes", (random) => mutateBytes(random.pick(fixtures), random, small)],
  [9, "safetensors", (random) => mutateBytes(safetensors, random, [safetensors])],
  [5, "adapter-weights", (random) => mutateBytes(safetensors, random, [adapterConfig])],
  [6, "adapter-config", (random) => mutateBytes(adapterConfig, random, [adapterConfig])],
  ...(onnxAdapters.length > 0
    ? [[4, "onnx-adapter", (random) => mutateBytes(onnxAdapters[0], random, onnxAdapters)]]
    : []),
  ...Object.entries(inputs).map(([kind, bytes]) => [
    kind === ".json" ? 1 : 2,
    `input${kind}`,
    (random) => mutateBytes(bytes, random, Object.values(inputs)),
  ]),
];

const drawn = kinds.flatMap((kind) => Array(kind[0]).fill(kind));

/** The case of a seed: a kind and a file; no file where the changed messages could not be written. */
export function caseOf(seed) {
  const random = createRandom(seed);
  const [, kind, make] = random.pick(drawn);
  return { kind, bytes: make(random), compiles: random.chance(0.2) };
}

/** Reads, imports or compiles the file. Refusals are thrown. */
export function tryCase(kind, bytes, compiles) {
  if (kind === "safetensors") return trySafetensors(bytes);
  if (kind === "adapter-weights") return tryAdapter({ config: adapterConfig, weights: bytes });
  if (kind === "adapter-config") return tryAdapter({ config: bytes, weights: safetensors });
  if (kind === "onnx-adapter") return decodeOnnxAdapter(bytes, "fuzzed.onnx_adapter");
  if (kind.startsWith("input")) return readInputs(save(`input${kind.slice("input".length)}`, bytes));
  return tryModel(bytes, compiles);
}
