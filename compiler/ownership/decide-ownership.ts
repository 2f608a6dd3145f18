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

/** What the user says about who owns what. */
export interface OwnershipOptions {
  /** Patterns over weight names, `*` for any characters: these are the provider's. */
  readonly private?: readonly string[];
  /** Patterns of weights that are public although the base has nothing equal. */
  readonly public?: readonly string[];
  readonly base?: BaseModel;
  readonly adapter?: LoraAdapter;
  /** Public tensors that weights of the adapter stand in the place of, by weight name. */
  readonly original?: ReadonlyMap<string, Tensor>;
  /** What the adapter started from, known to everybody: an A that is equal to its A is public (LoRA-FA keeps A). */
  readonly baseAdapter?: LoraAdapter;
  /** The graph is an unmerged LoRA: its A and B are the provider's. */
  readonly loraPrivate?: boolean;
  /** A model without any secret is meant. */
  readonly allowAllPublic?: boolean;
}

export interface OwnershipRecord {
  readonly name: string;
  readonly label: "public" | "server";
  readonly why: string;
  /** Of public weights: see digestOf. */
  readonly sha256?: string;
  /** Of private ones that the base has: how many numbers moved. The owner's to know: no build says it. */
  readonly moved?: number;
}

export interface Ownership extends WeightOwners {
  /** One line per weight, in the model's order; an adapter's halves come last. */
  readonly table: readonly OwnershipRecord[];
  /** Public tensors in the place of private ones, where the base has them. */
  readonly counterparts: ReadonlyMap<string, BaseTensor>;
}

type OwnershipVerdict = Pick<OwnershipRecord, "label" | "why" | "moved">;

/** Decides for every weight who knows it, and says why. What nothing proves public is private: fail closed. */
export function decideOwnership(model: OnnxModel, options: OwnershipOptions = {}): Ownership {
  const { base } = options;
  const catalog = catalogWeights(model, base?.names);
  const counterparts = new Map<string, BaseTensor>();
  const matching = base && createBaseMatching(catalog, base);
  const table = [...catalog.weights.values()].map((weight): OwnershipRecord => {
    const verdict = judgeWeight(weight, options, counterparts, matching);
    const { name } = weight;
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
  return { catalog, labels: new Map(table.map(({ name, label }) => [name, label])), table, counterparts };
}

/** Both halves of every module: the server's, but for an A that is bit for bit the public one that it started from. */
function loraRecords({ adapter, baseAdapter }: OwnershipOptions): readonly OwnershipRecord[] {
  const starts = new Map(baseAdapter?.modules.map(({ module, a }) => [module, a]));
  return (adapter?.modules ?? []).flatMap(({ module, a }): OwnershipRecord[] => {
    const why = `of the adapter ${adapter!.folder}`;
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
): OwnershipVerdict {
  const { base } = options;
  const found = base?.counterpart(weight);
  if (found) counterparts.set(weight.name, found);
  const before = options.original?.get(weight.name);
  if (before) {
    counterparts.set(weight.name, { name: weight.name, tensor: before });
    return { label: "server", why: `of the adapter ${options.adapter!.folder}, in the place of the model's` };
  }
  // A pattern that stands for everything names tables of positions too: where the base has the same, they are nobody's.
  if (found && isPositionTable(weight) && countDifferences(weight.tensor(), found.tensor, weight.source.dtype) === 0) {
    return { label: "public", why: `equal to ${found.name} of ${base!.path}, and known from the architecture` };
  }
  const named = options.private?.find((pattern) => matchesWeightName(weight, pattern));
  if (named !== undefined) return { label: "server", why: `named by --private ${named}` };
  const open = options.public?.find((pattern) => matchesPattern(pattern, weight.name));
  if (open !== undefined) return { label: "public", why: `named by --public ${open}` };
  if (options.loraPrivate && isLoraMatrix(weight.name)) return { label: "server", why: "half of a LoRA layer" };
  if (base && matching) return compareWithBase(weight, base, found, matching);
  if (options.adapter) return { label: "public", why: "the base that the adapter belongs to" };
  const declared = (options.private?.length ?? 0) > 0 || options.loraPrivate;
  if (!declared) return { label: "public", why: "nothing was declared private" };
  if (weight.candidates.length > 0) return { label: "public", why: "not declared private" };
  return { label: "server", why: "the file does not tell which parameter it is, so that no pattern could name it" };
}

export const matchesWeightName = (weight: ModelWeight, pattern: string): boolean =>
  weightNames(weight).some((name) => matchesPattern(pattern, name));

/** All names that a pattern may mean: its own, and those of its origins with and without wrappers in front. */
function weightNames({ name, candidates }: ModelWeight): readonly string[] {
  const paths = candidates.map((origin) => origin.split("."));
  return [name, ...paths.flatMap((path) => path.map((_, start) => path.slice(start).join(".")))];
}

/**
 * A parameter is compared with the base's of its name, and where the two differ it is private even if the base has its
 * numbers elsewhere: where they were moved to is the provider's knowledge. What has no name, or one that the base does
 * not know, is known by its numbers, if none of the model's other parameters is that tensor of the base.
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
    const why = `equal to ${found!.name} of ${base.path}, but used in several places, of which one may be ${rival}`;
    return { label: "server", why };
  }
  const named = weight.recovered !== undefined && base.names.has(weight.recovered.name);
  const same = named ? undefined : base.nameByValues(own, dtype, matching.isAvailable(weight));
  if (same !== undefined) {
    matching.claim(same);
    return { label: "public", why: `has the numbers of ${same} of ${base.path}` };
  }
  if (found) return { label: "server", why: `differs from ${found.name} of ${base.path}`, moved: moved! };
  return { label: "server", why: named ? `has another shape in ${base.path}` : `${base.path} has no such tensor` };
}

/** Whether a weight is A or B of an unmerged LoRA layer, by its name. */
export function isLoraMatrix(name: string, half: "A" | "B" | "[AB]" = "[AB]"): boolean {
  return new RegExp(`\\.lora_${half}(\\.\\w+)?(\\.weight)?$`).test(name);
}

/** `*` stands for anything, `?` for one character. */
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
  const because = base ? [`every weight is equal to one of ${base.path}`] : [];
  const message = "nothing is private: what is to be protected?";
  // Never taken for granted: its base would be handed to everybody.
  const help = table.some(({ name }) => isLoraMatrix(name))
    ? "the graph has LoRA layers: --base <base model>, or --private '*.lora_*' where all but their A and B is public"
    : "say which weights are the provider's: --base <base model>, --adapter <peft folder> or --private <pattern>";
  return [{ code: "MRL0421", message, at: model.file, because, help }];
}

/**
 * A matrix that is declared private and lies in the same model as a public one (a head tied to the embedding) would be
 * handed to everybody under its other name. Vectors may well be equal and mean nothing: gains of 1, biases of 0.
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
    const message = `the private weight ${name} has the numbers of ${twin}, which is public`;
    const help = `declare both private: --private ${name} --private ${twin}, or neither`;
    return [{ code: "MRL0424", message, at: catalog.model.file, help }];
  });
}

/** A parameter that is tied to one with a counterpart in the base has the same, whichever way round. */
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
