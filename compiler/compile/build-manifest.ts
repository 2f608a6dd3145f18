import { basename } from "node:path";
import countBy from "lodash-es/countBy.js";
import sortBy from "lodash-es/sortBy.js";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { isFixed } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import { fewestRuns, type PublishedBound, publishedBits, type WrapEstimate } from "../../passes/4-quantize/index.ts";
import { inexactOperators } from "../../passes/5-select/index.ts";
import type { ClientCut, GuardFacts, SplitState } from "../../passes/pass.ts";
import { type PhaseCost, type Prediction, predict } from "../../runtime/session/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import type { ProgramPlan } from "../../targets/program/plan.ts";
import { decisionsByTensor, errorsByTensor } from "../accuracy/index.ts";
import { type ChunkManifest, type Manifest, partyLabels, securityStatement, version } from "../build/index.ts";
import type { ChunkProgram } from "../decode/index.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import { constantDigests } from "../onnx/weights/index.ts";
import { shortType } from "../tensors/index.ts";
import { caveatsOf } from "./build-caveats.ts";
import type { BuildInputs } from "./build-inputs.ts";
import { wholeTypeOf } from "./output-types.ts";
import { sharedInputsOf, sharedOutputsOf } from "./shared-values.ts";

interface ProgramHashes {
  readonly programHash: string;
  readonly artefactsHash: string;
}

/** The manifest of the program of the full context. The sections are in the order of the file. */
export function prefillManifest(build: BuildInputs, hashes: ProgramHashes & Pick<Manifest, "integers">): Manifest {
  const { setting } = build.options.target;
  const prediction = predict(programFromPlan(build.plan, hashes.programHash));
  const inexact = inexactOperators(build.state.module);
  return {
    ...identitySection(build),
    ...securityStatement(setting, prediction.dealerComputes, {
      readers: new Set(revealsOf(build).map(({ to }) => to)),
      serverInputs: build.state.server !== undefined,
      keepsShares: sharedOutputsOf(build) !== undefined,
      guarded: build.state.guard !== undefined,
    }),
    caveats: caveatsOf(build, inexact),
    inexact,
    ...hashes,
    ...weightsSection(build),
    ...partySection(build),
    reveals: revealsOf(build),
    ...sharedOutputsOf(build),
    ...errorsByTensor(outputsOf(build), build.declared.errors),
    ...decisionsByTensor(outputsOf(build), build.declared.decisions),
    ...guardSection(build.state.guard),
    rings: ringUsage(build.state.module),
    calibration: calibrationOf(build),
    predicted: predictedTraffic(prediction, setting),
  };
}

const identitySection = ({ options: { target }, state }: BuildInputs) => ({
  schema: 1 as const,
  compiler: version,
  name: state.module.name,
  setting: target.setting,
  truncation: target.truncation,
  numerics: target.preset?.name ?? "marill",
  chosenFor: { link: target.link, objective: target.objective },
});

const weightsSection = ({ loaded, options, clientDecode }: BuildInputs) => ({
  weights: loaded.ownership.table.map(({ name, label, why, sha256: digest }) => ({
    name,
    label,
    why: stripLocalPaths(why, options),
    shape: weightShape(loaded, name),
    ...(digest !== undefined && { sha256: digest }),
  })),
  constants: [...constantDigests(loaded.ownership.catalog), ...(clientDecode?.constants ?? [])],
});

/** Inputs of which the model asks what is missing: there NaN is an answer, not a mistake. */
function inputsWithGaps(module: Module): ReadonlySet<ValueId> {
  const producers = producersOf(opsOf(module));
  const sourceOf = (id: ValueId): ValueId => {
    const op = producers.get(id);
    return op?.name === "cast" || op?.name === "reshape" ? sourceOf(op.operands[0]!) : id;
  };
  const asked = opsOf(module).filter(({ name }) => name === "is-nan");
  return new Set(asked.map(({ operands }) => sourceOf(operands[0]!)));
}

/** What each party supplies, and what it computes in the clear. */
function partySection({ loaded: { imported, model }, state, plan }: BuildInputs) {
  const { module, client, server } = state;
  const gaps = inputsWithGaps(imported.module);
  const described = (cuts: readonly ClientCut[]) =>
    cuts.map(({ value, source, oneHot, rows, least, functions }) => ({
      value,
      tensor: source,
      shape: typeOf(module, value).shape,
      ...(oneHot !== undefined && { oneHot }),
      ...(rows !== undefined && { rows }),
      ...(least !== undefined && { least }),
      ...(functions && { functions }),
      // Indices of a private lookup are never shared: their bound is the number of rows.
      ...(rows === undefined && { range: boundsOf(plan.inputs[value]!) }),
    }));
  return {
    inputs: [...imported.inputs].map(([name, id]) => {
      const { label, shape } = typeOf(imported.module, id);
      const dtype = model.graph.inputs.find((input) => input.name === name)?.dtype ?? "float32";
      return { name, label, shape, type: shortType(dtype), ...(gaps.has(id) && { gaps: true as const }) };
    }),
    cuts: described(client.cuts),
    ...(server && { serverCuts: described(server.cuts) }),
    ...sharedInputsOf({ state, plan }),
    tails: client.tails.map(({ value, source, output }) => ({ value, from: source, output })),
    clientOutputs: client.outputs,
  };
}

const boundsOf = ({ lo, hi }: ProgramPlan["inputs"][string]): readonly [lo: number, hi: number] => [lo, hi];

const guardSection = (guard: GuardFacts | undefined): Pick<Manifest, "guard"> => (guard ? { guard } : {});

/** Values that leave the program, revealed or in shares, by their tensors. */
const outputsOf = (build: BuildInputs): readonly Pick<Manifest["reveals"][number], "value" | "tensor">[] => [
  ...revealsOf(build),
  ...(sharedOutputsOf(build)?.sharedOutputs ?? []),
];

const revealsOf = ({ loaded, state, plan }: BuildInputs): Manifest["reveals"] =>
  Object.entries(plan.outputs)
    .filter(([value, { to }]) => to !== "shared" && value !== state.guard?.value)
    .map(([value, { to, shape }]) => {
      const tensor =
        state.client.tails.find((tail) => tail.value === value)?.source ?? state.sources.get(value) ?? value;
      const type = wholeTypeOf(loaded, tensor);
      return { value, tensor, to, shape, ...(type !== undefined && { type }) };
    });

const calibrationOf = (build: BuildInputs): Manifest["calibration"] => ({
  source: sourceOf(build),
  samples: build.runs.drawn ? 0 : build.runs.count,
  weights:
    build.published.length > 0
      ? "public and private weights; of the latter, what `published` lists"
      : "public weights; private ones replaced by the base's, adapters and what no base has by initial values",
  margin: build.options.calibration.margin,
  ...(build.options.calibration.ranges !== undefined && { ranges: basename(build.options.calibration.ranges) }),
  ...(build.published.length > 0 && { published: publishedOf(build.published) }),
  ...(build.wrap && { wrap: wrapOf(build.wrap, build.state) }),
});

function sourceOf({ options: { calibration }, runs }: BuildInputs): string {
  if (calibration.samples !== undefined) return basename(calibration.samples);
  return runs.drawn ? `none: ${runs.count} inputs drawn within their bounds` : "none: interval analysis";
}

const publishedOf = (bounds: readonly PublishedBound[]): NonNullable<Manifest["calibration"]["published"]> => ({
  integers: bounds.length,
  bits: bounds.reduce((sum, { bound }) => sum + publishedBits(bound), 0),
  bounds,
});

/** Names the value by its node. With few samples there is no estimate. */
function wrapOf(estimate: WrapEstimate, { module }: SplitState): NonNullable<Manifest["calibration"]["wrap"]> {
  const { runs, probability, value } = estimate;
  if (runs < fewestRuns) return { runs };
  const at = value && opsOf(module).find(({ result }) => result === value)?.origin;
  return { runs, probability: Number(probability.toPrecision(2)), ...(at && { at }) };
}

function predictedTraffic({ setup, offline, online }: Prediction, setting: string): Manifest["predicted"] {
  return {
    setup: labelledPhase(setup, setting),
    offline: labelledPhase(offline, setting),
    online: labelledPhase(online, setting),
  };
}

const labelledPhase = ({ rounds, bytes }: PhaseCost, setting: string) => ({
  rounds,
  bytes: partyLabels(setting).bytes(bytes),
});

/** The manifest of a program for a chunk of positions, where it differs from the prefill program's. */
export function chunkManifest(
  { cuts, reveals, setting }: Manifest,
  { module, plan, axes, guard }: ChunkProgram,
  positions: number,
  hashes: ProgramHashes,
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
    cuts: cuts.map((cut) => {
      const range = cut.range && boundsOf(plan.inputs[cut.value]!);
      return withAxis({ ...cut, ...(range && { range }) }, typeOf(module, cut.value).shape);
    }),
    reveals: reveals.map((reveal) => withAxis(reveal, plan.outputs[reveal.value]!.shape)),
    ...guardSection(guard),
    kept: Object.entries(plan.cached).map(([name, { shape, width }]) => ({ name, shape, width })),
    predicted: { offline: labelledPhase(offline, setting), online: labelledPhase(online, setting) },
  };
}

/** Replaces paths of the compiling machine by file names: the manifest goes to every party. */
function stripLocalPaths(reason: string, { model, weights }: ResolvedOptions): string {
  // The longest first: one folder may lie within another.
  const paths = [weights.base, weights.adapter, weights.baseAdapter, model]
    .filter((path) => path !== undefined)
    .sort((a, b) => b.length - a.length);
  return paths.reduce((kept, path) => kept.replaceAll(path, basename(path)), reason);
}

function weightShape({ ownership, imported }: LoadedModel, name: string): readonly number[] {
  const weight = [...ownership.catalog.weights.values()].find((each) => each.name === name);
  return weight?.source.dims ?? imported.weights.get(name)?.shape ?? [];
}

/** Number of shared values by ring width. */
function ringUsage(module: Module): Manifest["rings"] {
  const widths = Object.values(module.values).flatMap(({ type: { label, element } }) =>
    label === "shared" && isFixed(element) ? [element.width] : [],
  );
  return sortBy(
    Object.entries(countBy(widths)).map(([width, values]) => ({ width: Number(width), values })),
    "width",
  );
}
