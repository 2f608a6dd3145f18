import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { countBy, sortBy } from "lodash-es";
import { knows } from "../../ir/label.ts";
import { type Module, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import { inexactOperators } from "../../passes/5-select/inexact.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { Role } from "../../runtime/core/index.ts";
import { predict } from "../../runtime/session/index.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import { programOf } from "../../targets/program/execute.ts";
import type { Plan } from "../../targets/program/plan.ts";
import type { Manifest, PlacesManifest } from "../build/index.ts";
import { canonicalJson, named, packWeights, trustOf, version } from "../build/index.ts";
import type { ClientSteps, NextPlace, SomePlaces } from "../decode/index.ts";
import { placesInput } from "../decode/index.ts";
import { tokenizerFiles } from "../inputs/index.ts";
import type { Owned, Settled } from "../load/index.ts";
import { type BorderType, extractSubgraph } from "../onnx/format/index.ts";
import { constantDigests } from "../onnx/weights/index.ts";
import type { Dtype } from "../tensors/index.ts";
import { shortType } from "../tensors/index.ts";

export interface Build {
  readonly owned: Owned;
  readonly options: Settled;
  readonly state: SplitState;
  readonly plan: Plan;
  /** The program of one place, where there is one. */
  readonly next?: NextPlace;
  /** The client's own layers place by place, where they can be run so. */
  readonly steps?: ClientSteps;
  /** program.mir */
  readonly text: string;
  /** Calibration inputs that were measured. */
  readonly samples: number;
}

const roles: readonly Role[] = ["client", "server", "dealer"];
const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** Everything that a build directory holds; the same input gives the same bytes. */
export function buildFiles(build: Build): {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
} {
  const { plan, next, steps, text, state, options } = build;
  const hash = sha256(text);
  const clientModels = onnxParts(build);
  const weightFiles = new Map(roles.map((role) => [role, packWeights(plan, state.weights, role)]));
  const artefactsOf = (program: string, models: ReadonlyMap<string, Uint8Array>): string =>
    sha256([program, ...[weightFiles.get("client")!, ...models.values()].map(sha256)].join("\n"));
  const window = manifestOf(build, hash, artefactsOf(hash, clientModels));
  const models = steps?.files ?? clientModels;
  const describe = (of: SomePlaces, places: number): PlacesManifest =>
    placesOf(window, of, places, { programHash: sha256(of.text), artefactsHash: artefactsOf(sha256(of.text), models) });
  const manifest: Manifest = next
    ? {
        ...window,
        decode: {
          ...describe(next, next.length),
          ...(steps && { clear: { places: placesInput, kept: steps.kept } }),
          ...(next.windows.length > 0 && { windows: next.windows.map((each) => describe(each, each.places)) }),
        },
      }
    : window;

  const files = new Map<string, Uint8Array>();
  const put = (path: string, data: string | Uint8Array): void =>
    void files.set(path, typeof data === "string" ? new TextEncoder().encode(data) : data);
  put("manifest.json", canonicalJson(manifest));
  const putProgram = (name: string, of: Plan, mir: string, digest: string): void => {
    put(`${name}.mir`, mir);
    for (const role of roles) {
      const program = emitProgram(of, role, { hash: digest, compiler: version });
      put(`${role}/${name}.ts`, program.ts);
      put(`${role}/${name}.js`, program.js);
      if (role !== "client") put(`${role}/${name}.mir`, mir);
    }
  };
  putProgram("program", plan, text, hash);
  if (next) putProgram("decode", next.plan, next.text, sha256(next.text));
  for (const each of next?.windows ?? []) {
    putProgram(`window-${each.places}`, each.plan, each.text, sha256(each.text));
  }
  for (const role of roles) {
    put(`${role}/manifest.json`, canonicalJson(manifest));
    if (role !== "dealer") put(`${role}/weights.safetensors`, weightFiles.get(role)!);
  }
  for (const [name, bytes] of [...clientModels, ...(steps?.files ?? [])]) put(`client/${name}`, bytes);
  for (const [name, bytes] of tokenizerFiles(dirname(options.model))) put(`client/${name}`, bytes);
  return { manifest, files };
}

/** What the client computes in the clear before and after: cut out of the model that was given. */
function onnxParts({ owned, state, options }: Build): ReadonlyMap<string, Uint8Array> {
  const { model, imported } = owned;
  const { client } = state;
  const given = new Set(imported.inputs.keys());
  const types = borderTypes(owned);
  const parts = new Map<string, Uint8Array>();
  const name = options.name ?? "model";
  const wanted = [...new Set([...client.cuts.map(({ source }) => source), ...client.outputs])].filter(
    (tensor) => !given.has(tensor),
  );
  // A node of the file may read what its operators here do not need: lengths behind which there is no past.
  const known = [...imported.inputs].filter(([, id]) => knows("client", typeOf(imported.module, id).label));
  const before = { name, types, optional: known.map(([input]) => input) };
  if (wanted.length > 0) parts.set("public.onnx", extractSubgraph(model, [...client.inputs], wanted, before));
  const from = [...new Set(client.tails.map(({ source }) => source))];
  const to = client.tails.map(({ output }) => output);
  if (to.length > 0) parts.set("head.onnx", extractSubgraph(model, from, to, { name, types }));
  return parts;
}

const dtypeOfKind: Readonly<Record<string, Dtype>> = { f32: "float32", i64: "int64", bool: "bool" };

/** Types of the ONNX tensors that the module knows: shapes are static there. */
function borderTypes({ model, imported }: Owned): ReadonlyMap<string, BorderType> {
  const declared = new Map(model.graph.inputs.map(({ name, dtype }) => [name, dtype]));
  return new Map(
    [...imported.sources].flatMap(([id, source]): [string, BorderType][] => {
      const value = imported.module.values[id];
      if (!value) return [];
      const dtype = declared.get(source) ?? dtypeOfKind[value.type.element.kind] ?? "float32";
      return [[source, { dtype, dims: value.type.shape }]];
    }),
  );
}

function manifestOf(build: Build, programHash: string, artefactsHash: string): Manifest {
  const { owned, options, state, plan } = build;
  const { module, client } = state;
  const { imported, model } = owned;
  const prediction = predict(programOf(plan, programHash));
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
    ...trustOf(options.setting, prediction.dealerComputes),
    caveats: [
      ...roundingCaveats(options.truncation, inexact),
      "the client may share tensors that no input produces: the private part is a stronger oracle than the whole model",
      "values outside their calibrated ranges wrap and give wrong results",
      ...(build.next ? ["generation with a cache tells the server and the dealer how many places the text has"] : []),
      ...(tails.length > 0
        ? [`the client learns ${tails.map(({ from }) => from).join(", ")}, from which it computes the output`]
        : []),
    ],
    inexact,
    programHash,
    artefactsHash,
    weights: owned.ownership.table.map(({ name, label, why, sha256: digest }) => ({
      name,
      label,
      why: withoutPaths(why, options),
      shape: shapeOfWeight(owned, name),
      ...(digest !== undefined && { sha256: digest }),
    })),
    constants: [...constantDigests(owned.ownership.catalog), ...(build.steps?.constants ?? [])],
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
    rings: ringsOf(module),
    calibration: {
      source: options.calibrate === undefined ? "none: interval analysis" : basename(options.calibrate),
      samples: build.samples,
      weights: "public weights; private ones replaced by the base's, adapters by their initial values",
    },
    predicted: named(options.setting, {
      setup: prediction.setup,
      offline: prediction.offline,
      online: prediction.online,
    }),
  };
}

/** What the manifest says of a program of some places, beside what holds of the window's too. */
function placesOf(
  { cuts, reveals, setting }: Manifest,
  { module, plan, axes }: SomePlaces,
  places: number,
  hashes: { readonly programHash: string; readonly artefactsHash: string },
): PlacesManifest {
  const { offline, online } = predict(programOf(plan, hashes.programHash));
  const placed = <T extends { readonly value: ValueId }>(each: T, shape: readonly number[]) => ({
    ...each,
    shape,
    axis: axes.get(each.value)!,
  });
  return {
    ...hashes,
    places,
    cuts: cuts.map((cut) => placed(cut, typeOf(module, cut.value).shape)),
    reveals: reveals.map((reveal) => placed(reveal, plan.outputs[reveal.value]!.shape)),
    kept: Object.entries(plan.kept).map(([name, { shape, width }]) => ({ name, shape, width })),
    predicted: named(setting, { offline, online }),
  };
}

/** What a reader must know of rounding. */
function roundingCaveats(truncation: Settled["truncation"], inexact: Manifest["inexact"]): readonly string[] {
  const carries = "are carries of share bits, not independent coins";
  if (truncation === "fast") return [`rounding bits of truncations ${carries} (fast truncation)`];
  return inexact.length > 0 ? [`rounding bits within operators that have no exact protocol ${carries}`] : [];
}

/** Paths of the machine that compiled do not belong into what is handed out. */
function withoutPaths(text: string, { base, adapter, baseAdapter, model }: Settled): string {
  // The longest first: one folder may lie within another.
  const paths = [base, adapter, baseAdapter, model]
    .filter((path) => path !== undefined)
    .sort((a, b) => b.length - a.length);
  return paths.reduce((kept, path) => kept.replaceAll(path, basename(path)), text);
}

function shapeOfWeight({ ownership, imported }: Owned, name: string): readonly number[] {
  const weight = [...ownership.catalog.weights.values()].find((each) => each.name === name);
  return weight?.source.dims ?? imported.weights.get(name)?.shape ?? [];
}

/** How many shared values have which ring. */
function ringsOf(module: Module): Manifest["rings"] {
  const widths = Object.values(module.values).flatMap(({ type: { label, element } }) =>
    label === "shared" && isFixed(element) ? [element.width] : [],
  );
  return sortBy(
    Object.entries(countBy(widths)).map(([width, values]) => ({ width: Number(width), values })),
    "width",
  );
}
