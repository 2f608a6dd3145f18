import { dirname } from "node:path";
import { knows } from "../../ir/label.ts";
import { typeOf } from "../../ir/module.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import {
  type ChunkManifest,
  canonicalJson,
  type Manifest,
  packWeights,
  roles,
  sha256,
  version,
  weightDigests,
} from "../build/index.ts";
import { type ChunkProgram, positionsInput, writtenDtypeOf } from "../decode/index.ts";
import type { LoadedModel } from "../load/index.ts";
import { type BoundaryType, extractSubgraph } from "../onnx/format/index.ts";
import { choiceFiles } from "./adapter-choices.ts";
import type { BuildInputs } from "./build-inputs.ts";
import { chunkManifest, prefillManifest } from "./build-manifest.ts";
import { plainTokenizerFiles } from "./plain-tokenizer.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/** Makes every file of a build directory; the same input gives the same bytes. */
export function buildFiles(build: BuildInputs): { readonly manifest: Manifest; readonly files: Files } {
  const { plan, decode, clientDecode, mir, state, options } = build;
  const clientModels = clientGraphs(build);
  const weightFiles = new Map(roles.map((role) => [role, packWeights(plan, state.weights, role)]));
  const manifest = manifestOf(build, clientModels, weightFiles.get("client")!);
  const chunks = [
    ...(decode ? [["decode", decode] as const] : []),
    ...(decode?.buckets ?? []).map((bucket) => [`window-${bucket.positions}`, bucket] as const),
  ];

  const files = new Map<string, Uint8Array>();
  const put = (path: string, data: string | Uint8Array): void =>
    void files.set(path, typeof data === "string" ? new TextEncoder().encode(data) : data);
  put("manifest.json", canonicalJson(manifest));
  for (const [name, program] of [["program", { plan, mir }] as const, ...chunks])
    for (const [path, text] of programFiles(name, program)) put(path, text);
  for (const role of roles) {
    put(`${role}/manifest.json`, canonicalJson(manifest));
    if (role !== "dealer") put(`${role}/weights.safetensors`, weightFiles.get(role)!);
  }
  for (const [name, bytes] of [...clientModels, ...(clientDecode?.files ?? [])]) put(`client/${name}`, bytes);
  for (const [name, bytes] of [...serverGraph(build), ...choiceFiles(plan, build.choices)])
    put(`server/${name}`, bytes);
  for (const [name, text] of plainTokenizerFiles(dirname(options.model))) put(`client/${name}`, text);
  return { manifest, files };
}

/** A program of every party, with the module's text: each checks its folder alone. */
function programFiles(
  name: string,
  { plan, mir }: Pick<ChunkProgram, "plan" | "mir">,
): readonly (readonly [path: string, text: string])[] {
  const parties = roles.flatMap((role) => {
    const { ts, js } = emitProgram(plan, role, { hash: sha256(mir), compiler: version });
    return [
      [`${role}/${name}.ts`, ts] as const,
      [`${role}/${name}.js`, js] as const,
      [`${role}/${name}.mir`, mir] as const,
    ];
  });
  return [[`${name}.mir`, mir], ...parties];
}

/** The manifest of all programs of a build. */
function manifestOf(build: BuildInputs, clientModels: Files, clientWeights: Uint8Array): Manifest {
  const { decode, clientDecode, mir } = build;
  const hashesOf = (text: string, models: Files) => {
    const programHash = sha256(text);
    return {
      programHash,
      artefactsHash: sha256([programHash, ...[clientWeights, ...models.values()].map(sha256)].join("\n")),
    };
  };
  const integers = [...weightDigests(clientWeights)].map(([tensor, digest]) => ({ tensor, sha256: digest }));
  const prefill = prefillManifest(build, { ...hashesOf(mir, clientModels), integers });
  if (!decode) return prefill;
  const describeChunk = (chunk: ChunkProgram, positions: number): ChunkManifest =>
    chunkManifest(prefill, chunk, positions, hashesOf(chunk.mir, clientDecode?.files ?? clientModels));
  return {
    ...prefill,
    decode: {
      ...describeChunk(decode, decode.contextLength),
      ...(clientDecode && { clear: { places: positionsInput, kept: clientDecode.cached } }),
      ...(decode.buckets.length > 0 && { windows: decode.buckets.map((each) => describeChunk(each, each.positions)) }),
    },
  };
}

/** Cuts the graphs that the client computes in the clear, before and after the secure part, out of the given model. */
function clientGraphs({ loaded, state, options }: BuildInputs): ReadonlyMap<string, Uint8Array> {
  const { model, imported } = loaded;
  const { client } = state;
  const modelInputs = new Set(imported.inputs.keys());
  const types = boundaryTypes(loaded);
  const parts = new Map<string, Uint8Array>();
  const name = options.name ?? "model";
  const requested = [...new Set([...client.cuts.map(({ source }) => source), ...client.outputs])].filter(
    (tensor) => !modelInputs.has(tensor),
  );
  // A node of the file may read inputs that the imported operator ignores: lengths without a past.
  const known = [...imported.inputs].filter(([, id]) => knows("client", typeOf(imported.module, id).label));
  const before = { name, types, optional: known.map(([input]) => input) };
  if (requested.length > 0) parts.set("public.onnx", extractSubgraph(model, [...client.inputs], requested, before));
  const from = [...new Set(client.tails.map(({ source }) => source))];
  const to = client.tails.map(({ output }) => output);
  if (to.length > 0) parts.set("head.onnx", extractSubgraph(model, from, to, { name, types }));
  return parts;
}

/** Cuts the graph that the server computes in the clear from its own inputs, with private weights, out of the model. */
function serverGraph({ loaded, state, options }: BuildInputs): Files {
  const { model, imported } = loaded;
  const { inputs = [], cuts = [] } = state.server ?? {};
  const made = [...new Set(cuts.map(({ source }) => source))].filter((tensor) => !imported.inputs.has(tensor));
  if (made.length === 0) return new Map();
  const own = [...imported.inputs].filter(([, id]) => typeOf(imported.module, id).label === "server");
  const around = { name: options.name ?? "model", types: boundaryTypes(loaded), optional: own.map(([name]) => name) };
  return new Map([["private.onnx", extractSubgraph(model, [...inputs], made, around)]]);
}

/** Types of the ONNX tensors that are values of the module, where shapes are static. */
function boundaryTypes({ model, imported }: LoadedModel): ReadonlyMap<string, BoundaryType> {
  const declared = new Map(model.graph.inputs.map(({ name, dtype }) => [name, dtype]));
  return new Map(
    [...imported.sources].flatMap(([id, source]): [string, BoundaryType][] => {
      const value = imported.module.values[id];
      if (!value) return [];
      const dtype = declared.get(source) ?? writtenDtypeOf(value.type);
      return [[source, { dtype, dims: value.type.shape }]];
    }),
  );
}
