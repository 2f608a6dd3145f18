import type { Reveal } from "../../passes/1-split/index.ts";
import {
  alignAdapters,
  applySavedWeights,
  attachAdapter,
  bindAdapterInputs,
  factorizeMergedLora,
  isOnnxAdapter,
  loraTensors,
  readOnnxAdapter,
  readPeftAdapter,
  sumAdapters,
} from "../adapters/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { type ImportedModel, importModel, inlineKnownBranches } from "../onnx/import/index.ts";
import {
  bindConstantInputs,
  type FeatureExponents,
  insertScales,
  readModel,
  untieInitializers,
} from "../onnx/normalize/index.ts";
import {
  type BaseModel,
  createSurrogate,
  decideOwnership,
  type LoraAdapter,
  type Ownership,
  openBaseModel,
  type Surrogate,
} from "../ownership/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";
import { type SelectedOutputs, selectOutputs } from "./select-outputs.ts";
import { refuseSharedIntegers } from "./shared-inputs.ts";

/** A model with the owners of its weights. */
export interface LoadedModel {
  readonly model: OnnxModel;
  readonly imported: ImportedModel;
  readonly ownership: Ownership;
  readonly surrogate: Surrogate;
  /** Outputs by name, with patterns expanded. */
  readonly reveal: readonly Reveal[];
  /** The weight store with each adapter that the server may choose, by its name; absent: there is no choice. */
  readonly choices?: ReadonlyMap<string, ImportedModel["weights"]>;
  /** Outputs that the user did not request. */
  readonly omittedOutputs: SelectedOutputs["omittedOutputs"];
}

/** Settings that no user option sets. */
export interface ImportMode {
  /** Also accepts a model without private weights: for inspection, not for compilation. */
  readonly allowAllPublic?: boolean;
  /** Features that are scaled at the client, and unscaled behind it: see `insertScales`. */
  readonly scales?: FeatureExponents;
  /** Off in tests that compile without fusions; default: on. */
  readonly fuse?: boolean;
}

/** Reads the model and its adapter, if any, and decides the owners. */
function readAndAssignOwners(options: ResolvedOptions, allowAllPublic: boolean, scales: FeatureExponents = new Map()) {
  const { weights } = options;
  // Reads the model first, to report model errors before base errors.
  const raw = readModel(options.model);
  refuseSharedIntegers(raw, options.interface.owners);
  const base = weights.base === undefined ? undefined : openBaseModel(weights.base);
  const untied = untieInitializers(raw, base?.names);
  const { model: asked, reveal, omittedOutputs } = selectOutputs(untied, options.interface.reveal);
  const bound = bindConstantInputs(asked, options.interface.dims, options.interface.constants);
  const chosen = inlineKnownBranches(bound, options.interface.dims);
  const scaled = insertScales(chosen, scales);
  const { model, adapter, original, named, parts } = applyAdapter(scaled.model, base, weights);
  const ownership = decideOwnership(model, {
    allowAllPublic,
    made: scaled.made,
    serverInputs: [...options.interface.owners.values()].some((owner) => owner === "server" || owner === "shared"),
    ...(weights.private && { private: weights.private }),
    ...(weights.public && { public: weights.public }),
    ...(base && { base }),
    ...(adapter && { adapter }),
    ...(original && { original }),
    ...(weights.baseAdapter !== undefined && { baseAdapter: readPeftAdapter(weights.baseAdapter) }),
  });
  return { model, adapter, named, parts, ownership, reveal, left: omittedOutputs };
}

/** Applies the weights that the adapter replaces; returns the model, the original weights, and the part to attach. */
function applyAdapter(boundModel: OnnxModel, base: BaseModel | undefined, options: ResolvedOptions["weights"]) {
  if (options.adapter !== undefined && isOnnxAdapter(options.adapter)) {
    const fed = bindAdapterInputs(boundModel, readOnnxAdapter(options.adapter), base?.names);
    const adapter: LoraAdapter = { folder: options.adapter, modules: [], savedWeights: [], fanInFanOut: false };
    return { ...fed, adapter, named: undefined, parts: [] };
  }
  const { choices, parts } = readChoices(options);
  // All have the shapes of the first; its numbers stand in the model until the server chooses.
  const given = [...choices.values()][0];
  const { model, adapter } =
    options.mergedLora && base
      ? factorizeMergedLora(boundModel, base, options.mergedLora, options.private)
      : { model: boundModel, adapter: given };
  const named = choices.size > 1 ? choices : undefined;
  return adapter
    ? { ...applySavedWeights(model, adapter, base?.names), adapter, named, parts }
    : { model, adapter: undefined, original: undefined, named: undefined, parts };
}

/** The adapters that the server may choose from, in one shape; a single one has the name "". */
function readChoices({ adapter, adapters }: ResolvedOptions["weights"]): {
  readonly choices: ReadonlyMap<string, LoraAdapter>;
  /** Each folder by itself. */
  readonly parts: readonly LoraAdapter[];
} {
  if (!adapters) return { choices: new Map(adapter === undefined ? [] : [["", readPeftAdapter(adapter)]]), parts: [] };
  const read = adapters.map(({ name, folders }) => ({ name, parts: folders.map(readPeftAdapter) }));
  const summed = new Map(read.map(({ name, parts }) => [name, sumAdapters(parts)]));
  return {
    choices: summed.size > 1 ? alignAdapters(summed) : summed,
    parts: read.flatMap(({ parts }) => parts),
  };
}

/** The owners of a model's weights, whether or not the model compiles. */
export const loadOwnership = (options: ResolvedOptions): Ownership => readAndAssignOwners(options, true).ownership;

/** Reads the model, decides owners, and attaches the adapter. Errors: all of MRL01xx and MRL04xx. */
export function loadModel(
  options: ResolvedOptions,
  { allowAllPublic = false, fuse = true, scales }: ImportMode = {},
): LoadedModel {
  const { model, adapter, named, parts, ownership, reveal, left } = readAndAssignOwners(
    options,
    allowAllPublic,
    scales,
  );
  const plain = importModel(model, {
    ownership,
    fuse,
    dims: options.interface.dims,
    inputs: options.interface.owners,
  });
  // Each of several must fit the model by itself, and have all that its configuration names.
  for (const part of parts) attachAdapter(plain, part, ownership.labels);
  const imported = adapter ? attachAdapter(plain, adapter, ownership.labels) : plain;
  const surrogate = createSurrogate(imported, ownership);
  const choices = named && new Map([...named].map(([name, each]) => [name, weightsWith(imported, each)]));
  return { model, imported, ownership, surrogate, reveal, omittedOutputs: left, ...(choices && { choices }) };
}

/** The weight store with the numbers of another adapter of the same shapes. */
const weightsWith = ({ weights }: ImportedModel, { modules }: LoraAdapter): ImportedModel["weights"] =>
  new Map([...weights, ...modules.flatMap(loraTensors)]);

/**
 * The model as its file has it, which any other runtime computes; undefined where that is what `loadModel` gives. The
 * parameters of an .onnx_adapter file are inputs of the file, so they stay.
 */
export function loadWithoutAdapter(options: ResolvedOptions): LoadedModel | undefined {
  const { adapter, adapters: _, baseAdapter: __, mergedLora, ...weights } = options.weights;
  const isAttached = adapter !== undefined && !isOnnxAdapter(adapter);
  return isAttached || mergedLora ? loadModel({ ...options, weights }, { allowAllPublic: true }) : undefined;
}

/** Imports the model without an ownership requirement. */
export const loadImported = (options: ResolvedOptions): ImportedModel =>
  loadModel(options, { allowAllPublic: true }).imported;
