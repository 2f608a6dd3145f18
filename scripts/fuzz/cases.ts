// Cases: a seed gives a file, and the file goes where a user's command would take it, up to the first refusal.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readOnnxAdapter, readPeftAdapter } from "../../compiler/adapters/index.ts";
import { resolveModelOptions } from "../../compiler/api/index.ts";
import { compileModel } from "../../compiler/compile/index.ts";
import { readInputTensors } from "../../compiler/inputs/index.ts";
import { type ImportedModel, importModel } from "../../compiler/onnx/import/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import { openSafetensors, readSafetensor, writeNpz } from "../../compiler/tensors/index.ts";
import { opsOf } from "../../ir/module.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";
import { mutateBytes, mutateModel, publicCounterpart } from "./mutate.ts";
import { createRandom, type Random } from "./random.ts";
import { seedModels } from "./seed-models.ts";
import { fixtureModels, onnxAdapters, seedAdapterConfig, seedInputs, seedSafetensors } from "./seeds.ts";

export interface FuzzCase {
  /** What the file is and how it was changed: "model", "adapter-config", "input.npz". */
  readonly kind: string;
  /** The file; absent where the changed messages cannot be written. */
  readonly bytes: Uint8Array | undefined;
  /** Whether a small model is compiled after its import. */
  readonly compiles: boolean;
}

const folder = mkdtempSync(join(tmpdir(), "marillc-fuzz-"));
const samples = mkdtempSync(join(folder, "samples-"));
const smallModels = Object.values(seedModels);

/** Bounds of what is compiled: a few elements and operators compile in a moment, whatever the mutation did. */
const maxElements = 2 ** 12;
const maxOperators = 60;

function save(name: string, bytes: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

function tryModel(bytes: Uint8Array, compiles: boolean): void {
  const file = save("fuzzed.onnx", bytes);
  const model = readModel(file);
  const symbols = model.graph.inputs.flatMap(({ name, dims }) =>
    (dims ?? []).flatMap((dim, axis) =>
      typeof dim === "string" ? [dim] : dim === undefined ? [`${name}.${axis}`] : [],
    ),
  );
  const dims = Object.fromEntries(symbols.map((symbol) => [symbol, 2]));
  const imported = importModel(model, { dims: new Map(Object.entries(dims)) });
  const sizes = Object.values(imported.module.values).map(({ type }) => sizeOf(type.shape));
  if (!compiles || opsOf(imported.module).length > maxOperators || sizes.some((size) => size > maxElements)) return;
  const reveal = Object.fromEntries(model.graph.outputs.map(({ name }) => [name, "client" as const]));
  // All weights are private: the base has other values, and the same names and shapes.
  const base = save("base.onnx", publicCounterpart(bytes));
  compileModel(resolveModelOptions({ model: file, base, private: ["*"], dims, reveal, calibrate: sampleOf(imported) }));
}

/** A folder with one sample: ones for every input. */
function sampleOf({ inputs, module }: ImportedModel): string {
  const ones = (shape: Shape) => {
    return { dtype: "float32" as const, tensor: { shape, data: new Float64Array(sizeOf(shape)).fill(1) } };
  };
  const tensors = new Map([...inputs].map(([name, id]) => [name, ones(module.values[id]!.type.shape)]));
  writeFileSync(join(samples, "one.npz"), writeNpz(tensors));
  return samples;
}

function tryPeftAdapter(config: Uint8Array, weights: Uint8Array): void {
  save("adapter_config.json", config);
  save("adapter_model.safetensors", weights);
  readPeftAdapter(folder);
}

function trySafetensors(bytes: Uint8Array): void {
  const store = openSafetensors(save("weights.safetensors", bytes));
  for (const name of store.entries.keys()) readSafetensor(store, name);
}

type CaseKind = readonly [percent: number, name: string, make: (random: Random) => Uint8Array | undefined];

/** Without fixtures these kinds are absent, and the others share their part. */
const fixtureKinds: readonly CaseKind[] = [
  [4, "fixture", (random) => mutateModel(random.pick(fixtureModels), random)],
  [4, "fixture-bytes", (random) => mutateBytes(random.pick(fixtureModels), random, smallModels)],
];
const onnxAdapterKind: CaseKind = [4, "onnx-adapter", (random) => mutateBytes(onnxAdapters[0]!, random, onnxAdapters)];

const kinds: readonly CaseKind[] = [
  [40, "model", (random) => mutateModel(random.pick(smallModels), random)],
  [25, "model-bytes", (random) => mutateBytes(random.pick(smallModels), random, smallModels)],
  ...(fixtureModels.length > 0 ? fixtureKinds : []),
  [9, "safetensors", (random) => mutateBytes(seedSafetensors, random, [seedSafetensors])],
  [5, "adapter-weights", (random) => mutateBytes(seedSafetensors, random, [seedAdapterConfig])],
  [6, "adapter-config", (random) => mutateBytes(seedAdapterConfig, random, [seedAdapterConfig])],
  ...(onnxAdapters.length > 0 ? [onnxAdapterKind] : []),
  ...Object.entries(seedInputs).map(
    ([extension, bytes]): CaseKind => [
      extension === ".json" ? 1 : 2,
      `input${extension}`,
      (random) => mutateBytes(bytes, random, Object.values(seedInputs)),
    ],
  ),
];

/** Each kind as often as its percentage says. */
const kindsToDraw = kinds.flatMap((kind) => Array<CaseKind>(kind[0]).fill(kind));

/** The case of a seed. */
export function caseOf(seed: number): FuzzCase {
  const random = createRandom(seed);
  const [, kind, make] = random.pick(kindsToDraw);
  return { kind, bytes: make(random), compiles: random.chance(0.2) };
}

/** Reads, imports or compiles the file. @throws DiagnosticError when the file is refused, as most are */
export function tryCase(kind: string, bytes: Uint8Array, compiles: boolean): void {
  if (kind === "safetensors") trySafetensors(bytes);
  else if (kind === "adapter-weights") tryPeftAdapter(seedAdapterConfig, bytes);
  else if (kind === "adapter-config") tryPeftAdapter(bytes, seedSafetensors);
  else if (kind === "onnx-adapter") readOnnxAdapter(save("fuzzed.onnx_adapter", bytes));
  else if (kind.startsWith("input")) readInputTensors(save(`input${kind.slice("input".length)}`, bytes));
  else tryModel(bytes, compiles);
}
