import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import {
  catalogWeights,
  isPositionTable,
  type ModelWeight,
  sameTensor,
  type WeightCatalog,
  type WeightOwners,
} from "../onnx/weights/index.ts";
import { transpose } from "../tensors/index.ts";
import type { LoraAdapter } from "./adapter.ts";
import type { BaseModel, BaseTensor } from "./base-model.ts";
import { type BaseMatching, createBaseMatching } from "./match-base-tensors.ts";
import { countDifferences, elementDigests, loraDigest, parameterDigest } from "./weight-digests.ts";

/** Ownership options of the user. */
export interface OwnershipOptions {
  /** Patterns over weight names, `*` for any characters: matching weights are private to the server. */
  readonly private?: readonly string[];
  /** Patterns of weights that are public although the base has no equal tensor. */
  readonly public?: readonly string[];
  readonly base?: BaseModel;
  readonly adapter?: LoraAdapter;
  /** Public tensors that weights of the adapter replace, by weight name. */
  readonly original?: ReadonlyMap<string, Tensor>;
  /** The public adapter that training started from: an A that is equal to its A is public (LoRA-FA keeps A). */
  readonly baseAdapter?: LoraAdapter;
  /** The graph is an unmerged LoRA: its A and B are private. */
  readonly loraPrivate?: boolean;
  /** Weights that the compiler made itself: factors of features, which are public, and their inverses. */
  readonly made?: ReadonlyMap<string, OwnershipRecord["label"]>;
  /** Whether a model without private weights is explicitly allowed. */
  readonly allowAllPublic?: boolean;
  /** Whether the server has inputs of its own, which are then its secrets: all weights may be public. */
  readonly serverInputs?: boolean;
}

export interface OwnershipRecord {
  readonly name: string;
  readonly label: "public" | "server";
  readonly why: string;
  /** Of public weights: see `parameterDigest`. */
  readonly sha256?: string;
  /** Of private weights that the base has: how many elements changed. Only the owner may know; no build contains it. */
  readonly moved?: number;
}

export interface Ownership extends WeightOwners {
  /** One record per weight, in the model's order; an adapter's matrices come last. */
  readonly table: readonly OwnershipRecord[];
  /** Public tensors that stand in for private ones, where the base has them. */
  readonly counterparts: ReadonlyMap<string, BaseTensor>;
}

/** Why a weight is private that no pattern names. */
export const noParameterName = "the file does not say which parameter it is";

interface OwnershipVerdict extends Pick<OwnershipRecord, "label" | "why" | "moved"> {
  /** The pattern of `--private` that names the weight. */
  readonly pattern?: string;
}

/**
 * Decides the owner of every weight, and states why. A weight is private unless something proves it public: fail
 * closed. Errors: MRL0421, MRL0422, MRL0424.
 */
export function decideOwnership(model: OnnxModel, options: OwnershipOptions = {}): Ownership {
  const { base } = options;
  const catalog = catalogWeights(model, base?.names);
  const counterparts = new Map<string, BaseTensor>();
  const matching = base && createBaseMatching(catalog, base);
  const patterns = new Map<string, string>();
  const table = [...catalog.weights.values()].map((weight): OwnershipRecord => {
    const { pattern, ...verdict } = judgeWeight(weight, options, counterparts, matching, catalog.ownedIntegers);
    const { name } = weight;
    if (pattern !== undefined) patterns.set(name, pattern);
    return verdict.label === "public"
      ? { name, ...verdict, sha256: parameterDigest(catalog, weight) }
      : { name, ...verdict };
  });
  if (base) addTiedCounterparts(catalog, counterparts);
  table.push(...loraRecords(options));
  throwIfAny([
    ...unusedPatterns(catalog, options),
    ...requirePrivateWeight(model, table, options),
    ...refusePublicCopies(catalog, table),
  ]);
  return { catalog, labels: new Map(table.map(({ name, label }) => [name, label])), patterns, table, counterparts };
}

/** One that was merged into the model has no folder, and says so. */
const ofAdapter = ({ folder }: LoraAdapter): string =>
  `of the adapter ${folder.startsWith("merged into ") ? "" : "in "}${folder}`;

/** Both matrices of every module: private, except an A that equals the public one it started from bit for bit. */
function loraRecords({ adapter, baseAdapter }: OwnershipOptions): readonly OwnershipRecord[] {
  const starts = new Map(baseAdapter?.modules.map(({ module, a }) => [module, a]));
  return (adapter?.modules ?? []).flatMap(({ module, a }): OwnershipRecord[] => {
    const why = ofAdapter(adapter!);
    const start = starts.get(module);
    const kept = start !== undefined && sameTensor(a, start);
    const name = `${module}.lora_A`;
    return [
      kept
        ? { name, label: "public", why: `equal to that of ${baseAdapter!.folder}`, sha256: loraDigest(a) }
        : { name, label: "server", why },
      { name: `${module}.lora_B`, label: "server", why },
    ];
  });
}

function judgeWeight(
  weight: ModelWeight,
  options: OwnershipOptions,
  counterparts: Map<string, BaseTensor>,
  matching: BaseMatching | undefined,
  indices: ReadonlySet<string>,
): OwnershipVerdict {
  const { base } = options;
  const made = options.made?.get(weight.name);
  if (made !== undefined) {
    // Numbers that a base's weights are multiplied by; without one, the product starts training as the weight does.
    if (base || options.adapter) counterparts.set(weight.name, { name: weight.name, tensor: weight.tensor() });
    return { label: made, why: "made by --scale-features" };
  }
  const found = base?.counterpart(weight);
  if (found) counterparts.set(weight.name, found);
  const before = options.original?.get(weight.name);
  if (before) {
    counterparts.set(weight.name, { name: weight.name, tensor: before });
    return { label: "server", why: `${ofAdapter(options.adapter!)}, in place of the model's` };
  }
  // A pattern that matches everything also matches tables of positions: where the base has the same table, it belongs
  // to nobody.
  if (found && isPositionTable(weight) && countDifferences(weight.tensor(), found.tensor, weight.source.dtype) === 0) {
    return { label: "public", why: `equal to ${found.name} of ${base!.path}, and known from the architecture` };
  }
  const named = options.private?.find((pattern) => matchesWeightName(weight, pattern));
  // Integers that select positions have no form on shares. A pattern for many names does not mean those of the base.
  if (found && named !== undefined && isForMany(named) && indices.has(weight.source.name)) {
    if (countDifferences(weight.tensor(), found.tensor, weight.source.dtype) === 0)
      return { label: "public", why: `equal to ${found.name} of ${base!.path}, and integers that are indices` };
  }
  const open = options.public?.find((pattern) => matchesPattern(pattern, weight.name));
  // The name of one weight says more than a pattern for many.
  if (named !== undefined && (open === undefined || isForMany(open) || !isForMany(named)))
    return { label: "server", why: `named by --private ${named}`, pattern: named };
  if (open !== undefined) return { label: "public", why: `named by --public ${open}` };
  if (options.loraPrivate && isLoraMatrix(weight.name)) return { label: "server", why: "half of a LoRA layer" };
  if (base && matching) return compareWithBase(weight, base, found, matching);
  if (options.adapter) return { label: "public", why: "the base that the adapter belongs to" };
  const declared = (options.private?.length ?? 0) > 0 || options.loraPrivate;
  if (!declared) return { label: "public", why: "nothing was declared private" };
  if (weight.candidates.length > 0) return { label: "public", why: "not declared private" };
  const given = options.private?.map((pattern) => `--private ${pattern}`).join(", ") ?? "the LoRA layers";
  return { label: "server", why: `${noParameterName}, so ${given} may mean it` };
}

/** Whether a pattern may match several names. */
export const isForMany = (pattern: string): boolean => /[*?]/.test(pattern);

export const matchesWeightName = (weight: ModelWeight, pattern: string): boolean =>
  weightNames(weight).some((name) => matchesPattern(pattern, name));

/** All names that a pattern may match: the weight's own, and those of its origins with and without wrapper prefixes. */
function weightNames({ name, candidates }: ModelWeight): readonly string[] {
  const paths = candidates.map((origin) => origin.split("."));
  return [name, ...paths.flatMap((path) => path.map((_, start) => path.slice(start).join(".")))];
}

/**
 * Compares a parameter with the base tensor of its name. Where the two differ it is private even if the base has its
 * values elsewhere: their new location is the provider's knowledge. A weight without a name, or with one that the base
 * does not know, is identified by its values, if none of the model's other parameters is that tensor of the base.
 */
function compareWithBase(
  weight: ModelWeight,
  base: BaseModel,
  found: BaseTensor | undefined,
  matching: BaseMatching,
): OwnershipVerdict {
  const own = weight.tensor();
  const { dtype } = weight.source;
  const moved = found && countDifferences(own, found.tensor, dtype);
  if (moved === 0) {
    const rival = matching.rivalTensor(weight, own);
    if (!weight.recovered) matching.claim(found!.name);
    if (rival === undefined) return { label: "public", why: `equal to ${found!.name} of ${base.path}` };
    const why = `equal to ${found!.name} of ${base.path}, but used several times, and one may be ${rival}`;
    return { label: "server", why };
  }
  const named = weight.recovered !== undefined && base.names.has(weight.recovered.name);
  const same = named ? undefined : base.nameByValues(own, dtype, matching.isAvailable(weight));
  if (same !== undefined) {
    matching.claim(same);
    return { label: "public", why: `has the values of ${same} of ${base.path}` };
  }
  if (found) return { label: "server", why: `differs from ${found.name} of ${base.path}`, moved: moved! };
  return { label: "server", why: named ? `has another shape in ${base.path}` : `${base.path} has no such tensor` };
}

/** Whether a weight is A or B of an unmerged LoRA layer, by its name. */
export function isLoraMatrix(name: string, half: "A" | "B" | "[AB]" = "[AB]"): boolean {
  return new RegExp(`\\.lora_${half}(\\.\\w+)?(\\.weight)?$`).test(name);
}

/** Matches `*` to any characters, `?` to one character. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split(/(\*+|\?)/).map((part) => {
    if (part.startsWith("*")) return ".*";
    return part === "?" ? "." : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`, "s").test(name);
}

function unusedPatterns({ weights, model }: WeightCatalog, options: OwnershipOptions): Diagnostic[] {
  const names = [...weights.values()].flatMap(weightNames);
  const idle = (patterns: readonly string[] = []) =>
    patterns.filter((pattern) => !names.some((name) => matchesPattern(pattern, name)));
  const all = [...weights.values()].map(({ name }) => name);
  const help = `weights of the model: ${all.slice(0, 8).join(", ")}${all.length > 8 ? `, … (${all.length})` : ""}`;
  const say = (option: string) => (pattern: string) => {
    return { code: "MRL0422", message: `no weight matches ${option} ${pattern}`, at: model.file, help };
  };
  return [...idle(options.private).map(say("--private")), ...idle(options.public).map(say("--public"))];
}

function requirePrivateWeight(
  model: OnnxModel,
  table: readonly OwnershipRecord[],
  options: OwnershipOptions,
): Diagnostic[] {
  if (options.allowAllPublic || table.some(({ label }) => label === "server")) return [];
  const { base } = options;
  // The base says that all weights are public; a model without weights has none to declare.
  if (options.serverInputs && (base || table.length === 0)) return [];
  const because = base ? [`every weight is equal to a tensor of ${base.path}`] : [];
  const message = "no weight is private";
  // Never assumed: the weights of its base would become public.
  const help = table.some(({ name }) => isLoraMatrix(name))
    ? "the graph has LoRA layers: --base <base model>, or --private '*.lora_*' where all but their A and B is public"
    : options.serverInputs
      ? "say that the weights are public: --base <the model itself>, or which are private: --private <pattern>"
      : "say which weights are private: --base <base model>, --adapter <peft folder> or --private <pattern>";
  return [{ code: "MRL0421", message, at: model.file, because, help }];
}

/**
 * Refuses a private matrix that equals a public one of the same model (a head tied to the embedding): the other name
 * would reveal it. Equal vectors mean nothing: norm weights of 1, biases of 0.
 */
function refusePublicCopies(catalog: WeightCatalog, table: readonly OwnershipRecord[]): Diagnostic[] {
  const weights = [...catalog.weights.values()];
  const secret = new Set(table.filter(({ label }) => label === "server").map(({ name }) => name));
  // Kernels of a convolution count as one.
  const matrices = weights.filter(({ source }) => source.dims.filter((size) => size > 1).length >= 2);
  const candidates = matrices.filter(({ name }) => secret.has(name));
  if (candidates.length === 0) return [];
  const open = new Map(
    matrices
      .filter(({ name }) => !secret.has(name))
      .flatMap((weight) => elementDigests(catalog, weight).map((digest) => [digest, weight.name])),
  );
  return candidates.flatMap((weight): Diagnostic[] => {
    const { name } = weight;
    const twin = elementDigests(catalog, weight)
      .map((digest) => open.get(digest))
      .find((each) => each !== undefined);
    if (twin === undefined) return [];
    const message = `the private weight ${name} has the values of ${twin}, which is public`;
    const help = `declare both private: --private ${name} --private ${twin}, or neither`;
    return [{ code: "MRL0424", message, at: catalog.model.file, help }];
  });
}

/** A parameter that is tied to one with a counterpart in the base has the same counterpart, or its transpose. */
function addTiedCounterparts(catalog: WeightCatalog, counterparts: Map<string, BaseTensor>): void {
  const matrices = [...catalog.weights.values()].filter(({ source }) => source.dims.length === 2);
  const alone = matrices.filter(({ name }) => !counterparts.has(name));
  if (alone.length === 0) return;
  const found = new Map(
    matrices.flatMap((weight) => {
      const start = counterparts.get(weight.name);
      const [digest = ""] = elementDigests(catalog, weight);
      return start ? [[digest, { weight, start }] as const] : [];
    }),
  );
  for (const weight of alone) {
    for (const digest of elementDigests(catalog, weight)) {
      const twin = found.get(digest);
      if (!twin || counterparts.has(weight.name)) continue;
      const { name, tensor } = twin.start;
      const turned = !sameTensor(weight.tensor(), twin.weight.tensor());
      counterparts.set(weight.name, { name, tensor: turned ? transpose(tensor) : tensor });
    }
  }
}
