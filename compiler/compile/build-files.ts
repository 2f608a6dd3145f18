import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { countBy, sortBy } from "lodash-es";
import { knows } from "../../ir/label.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import { inexactOperators } from "../../passes/5-select/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { Role } from "../../runtime/core/index.ts";
import { predict } from "../../runtime/session/index.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import type { ProgramPlan } from "../../targets/program/plan.ts";
import type { ChunkManifest, Manifest } from "../build/index.ts";
import { canonicalJson, packWeights, securityStatement, version, withPartyNames } from "../build/index.ts";
import type { ChunkProgram, ClientDecodeGraphs, DecodeProgram } from "../decode/index.ts";
import { positionsInput } from "../decode/index.ts";
import { readTokenizerFiles } from "../inputs/index.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import { type BoundaryType, extractSubgraph } from "../onnx/format/index.ts";
import { constantDigests } from "../onnx/weights/index.ts";
import type { Dtype } from "../tensors/index.ts";
import { shortType } from "../tensors/index.ts";

export interface BuildInputs {
  readonly loaded: LoadedModel;
  readonly options: ResolvedOptions;
  readonly state: SplitState;
  readonly plan: ProgramPlan;
  /** The program of one place, where there is one. */
  readonly decode?: DecodeProgram;
  /** The client's own layers place by place, where they can be run so. */
  readonly clientDecode?: ClientDecodeGraphs;
  /** program.mir */
  readonly mir: string;
  /** Calibration inputs that were measured. */
  readonly sampleCount: number;
}

const roles: readonly Role[] = ["client", "server", "dealer"];
const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** Everything that a build directory holds; the same input gives the same bytes. */
export function buildFiles(build: BuildInputs): {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
} {
  const { plan, decode: next, clientDecode, mir: text, state, options } = build;
  const hash = sha256(text);
  const clientModels = clientGraphs(build);
  const weightFiles = new Map(roles.map((role) => [role, packWeights(plan, state.weights, role)]));
  const artefactsOf = (program: string, models: ReadonlyMap<string, Uint8Array>): string =>
    sha256([program, ...[weightFiles.get("client")!, ...models.values()].map(sha256)].join("\n"));
  const prefill = manifestOf(build, hash, artefactsOf(hash, clientModels));
  const models = clientDecode?.files ?? clientModels;
  const describeChunk = (of: ChunkProgram, positions: number): ChunkManifest =>
    chunkManifest(prefill, of, positions, {
      programHash: sha256(of.mir),
      artefactsHash: artefactsOf(sha256(of.mir), models),
    });
  const manifest: Manifest = next
    ? {
        ...prefill,
        decode: {
          ...describeChunk(next, next.contextLength),
          ...(clientDecode && { clear: { places: positionsInput, kept: clientDecode.cached } }),
          ...(next.buckets.length > 0 && { windows: next.buckets.map((each) => describeChunk(each, each.positions)) }),
        },
      }
    : prefill;

  const files = new Map<string, Uint8Array>();
  const put = (path: string, data: string | Uint8Array): void =>
    void files.set(path, typeof data === "string" ? new TextEncoder().encode(data) : data);
  put("manifest.json", canonicalJson(manifest));
  const putProgram = (name: string, of: ProgramPlan, mir: string, digest: string): void => {
    put(`${name}.mir`, mir);
    for (const role of roles) {
      const program = emitProgram(of, role, { hash: digest, compiler: version });
      put(`${role}/${name}.ts`, program.ts);
      put(`${role}/${name}.js`, program.js);
      if (role !== "client") put(`${role}/${name}.mir`, mir);
    }
  };
  putProgram("program", plan, text, hash);
  if (next) putProgram("decode", next.plan, next.mir, sha256(next.mir));
  for (const each of next?.buckets ?? []) {
    putProgram(`window-${each.positions}`, each.plan, each.mir, sha256(each.mir));
  }
  for (const role of roles) {
    put(`${role}/manifest.json`, canonicalJson(manifest));
    if (role !== "dealer") put(`${role}/weights.safetensors`, weightFiles.get(role)!);
  }
  for (const [name, bytes] of [...clientModels, ...(clientDecode?.files ?? [])]) put(`client/${name}`, bytes);
  for (const [name, bytes] of readTokenizerFiles(dirname(options.model))) put(`client/${name}`, bytes);
  return { manifest, files };
}

/** What the client computes in the clear before and after: cut out of the model that was given. */
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
  // A node of the file may read what its operators here do not need: lengths behind which there is no past.
  const known = [...imported.inputs].filter(([, id]) => knows("client", typeOf(imported.module, id).label));
  const before = { name, types, optional: known.map(([input]) => input) };
  if (requested.length > 0) parts.set("public.onnx", extractSubgraph(model, [...client.inputs], requested, before));
  const from = [...new Set(client.tails.map(({ source }) => source))];
  const to = client.tails.map(({ output }) => output);
  if (to.length > 0) parts.set("head.onnx", extractSubgraph(model, from, to, { name, types }));
  return parts;
}

const elementDtypes: Readonly<Record<string, Dtype>> = { f32: "float32", i64: "int64", bool: "bool" };

/** Types of the ONNX tensors that the module knows: shapes are static there. */
function boundaryTypes({ model, imported }: LoadedModel): ReadonlyMap<string, BoundaryType> {
  const declared = new Map(model.graph.inputs.map(({ name, dtype }) => [name, dtype]));
  return new Map(
    [...imported.sources].flatMap(([id, source]): [string, BoundaryType][] => {
      const value = imported.module.values[id];
      if (!value) return [];
      const dtype = declared.get(source) ?? elementDtypes[value.type.element.kind] ?? "float32";
      return [[source, { dtype, dims: value.type.shape }]];
    }),
  );
}

function manifestOf(build: BuildInputs, programHash: string, artefactsHash: string): Manifest {
  const { loaded, options, state, plan } = build;
  const { module, client } = state;
  const { imported, model } = loaded;
  const prediction = predict(programFromPlan(plan, programHash));
  const sourceOf = (id: ValueId): string => state.sources.get(id) ?? id;
  const tails = client.tails.map(({ value, source, output }) => ({ value, from: source, output }));
  const inexact = inexactOperators(module);
  return {
    schema: 1,
    compiler: version,
    name: module.name,
    setting: options.setting,
    truncation: options.truncation,
    numerics: options.numerics,
    chosenFor: { link: options.link, objective: options.objective },
    ...securityStatement(options.setting, prediction.dealerComputes),
    caveats: [
      ...roundingCaveats(options.truncation, inexact),
      "the client may share tensors that no input produces: the private part is a stronger oracle than the whole model",
      "values outside their calibrated ranges wrap and give wrong results",
      ...(build.decode ? ["generation with a cache tells the server and the dealer how many places the text has"] : []),
      ...(tails.length > 0
        ? [`the client learns ${tails.map(({ from }) => from).join(", ")}, from which it computes the output`]
        : []),
    ],
    inexact,
    programHash,
    artefactsHash,
    weights: loaded.ownership.table.map(({ name, label, why, sha256: digest }) => ({
      name,
      label,
      why: stripLocalPaths(why, options),
      shape: weightShape(loaded, name),
      ...(digest !== undefined && { sha256: digest }),
    })),
    constants: [...constantDigests(loaded.ownership.catalog), ...(build.clientDecode?.constants ?? [])],
    inputs: [...imported.inputs].map(([name, id]) => {
      const { label, shape } = typeOf(imported.module, id);
      const dtype = model.graph.inputs.find((input) => input.name === name)?.dtype ?? "float32";
      return { name, label, shape, type: shortType(dtype) };
    }),
    cuts: client.cuts.map(({ value, source, oneHot, rows, least }) => ({
      value,
      tensor: source,
      shape: typeOf(module, value).shape,
      ...(oneHot !== undefined && { oneHot }),
      ...(rows !== undefined && { rows }),
      ...(least !== undefined && { least }),
    })),
    tails,
    clientOutputs: client.outputs,
    reveals: Object.entries(plan.outputs).map(([value, { to, shape }]) => ({
      value,
      tensor: client.tails.find((tail) => tail.value === value)?.source ?? sourceOf(value),
      to,
      shape,
    })),
    rings: ringUsage(module),
    calibration: {
      source: options.calibrate === undefined ? "none: interval analysis" : basename(options.calibrate),
      samples: build.sampleCount,
      weights: "public weights; private ones replaced by the base's, adapters by their initial values",
    },
    predicted: withPartyNames(options.setting, {
      setup: prediction.setup,
      offline: prediction.offline,
      online: prediction.online,
    }),
  };
}

/** What the manifest says of a program of some places, beside what holds of the window's too. */
function chunkManifest(
  { cuts, reveals, setting }: Manifest,
  { module, plan, axes }: ChunkProgram,
  positions: number,
  hashes: { readonly programHash: string; readonly artefactsHash: string },
): ChunkManifest {
  const { offline, online } = predict(programFromPlan(plan, hashes.programHash));
  const withAxis = <T extends { readonly value: ValueId }>(each: T, shape: readonly number[]) => ({
    ...each,
    shape,
    axis: axes.get(each.value)!,
  });
  return {
    ...hashes,
    places: positions,
    cuts: cuts.map((cut) => withAxis(cut, typeOf(module, cut.value).shape)),
    reveals: reveals.map((reveal) => withAxis(reveal, plan.outputs[reveal.value]!.shape)),
    kept: Object.entries(plan.cached).map(([name, { shape, width }]) => ({ name, shape, width })),
    predicted: withPartyNames(setting, { offline, online }),
  };
}

/** What a reader must know of rounding. */
function roundingCaveats(truncation: ResolvedOptions["truncation"], inexact: Manifest["inexact"]): readonly string[] {
  const carries = "are carries of share bits, not independent coins";
  if (truncation === "fast") return [`rounding bits of truncations ${carries} (fast truncation)`];
  return inexact.length > 0 ? [`rounding bits within operators that have no exact protocol ${carries}`] : [];
}

/** Paths of the machine that compiled do not belong into what is handed out. */
function stripLocalPaths(reason: string, { base, adapter, baseAdapter, model }: ResolvedOptions): string {
  // The longest first: one folder may lie within another.
  const paths = [base, adapter, baseAdapter, model]
    .filter((path) => path !== undefined)
    .sort((a, b) => b.length - a.length);
  return paths.reduce((kept, path) => kept.replaceAll(path, basename(path)), reason);
}

function weightShape({ ownership, imported }: LoadedModel, name: string): readonly number[] {
  const weight = [...ownership.catalog.weights.values()].find((each) => each.name === name);
  return weight?.source.dims ?? imported.weights.get(name)?.shape ?? [];
}

/** How many shared values have which ring. */
function ringUsage(module: Module): Manifest["rings"] {
  const widths = Object.values(module.values).flatMap(({ type: { label, element } }) =>
    label === "shared" && isFixed(element) ? [element.width] : [],
  );
  return sortBy(
    Object.entries(countBy(widths)).map(([width, values]) => ({ width: Number(width), values })),
    "width",
  );
}
