import { existsSync } from "node:fs";
import { join } from "node:path";
import { counted } from "../../ir/counted.ts";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import type { LoraAdapter, LoraModule } from "../ownership/index.ts";
import { type Checked, fileDiagnostic, findDuplicates, invalid, refuseForeignLink } from "../tensors/files/index.ts";
import { findNonFinite, openSafetensors, readSafetensor, type SafetensorsFile, transpose } from "../tensors/index.ts";
import { type PeftConfig, readPeftConfig } from "./peft-config.ts";
import { readSavedWeights, savedWeightName } from "./peft-modules-to-save.ts";
import { createPatternMatcher, type PatternMatcher } from "./python-regex.ts";

const configName = "adapter_config.json";
const weightsName = "adapter_model.safetensors";
/** Checkpoints written without `save_pretrained` have the adapter's name in their keys. */
const keyPattern = /^base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight$/;

/**
 * Reads a PEFT LoRA adapter. PEFT itself loads adapters with missing matrices, unknown keys or wrong targets and warns
 * at most. This reader refuses each: a private tensor that silently drops out is an accuracy error and a privacy error.
 * Errors: MRL0101, MRL0140 to MRL0142.
 */
export function readPeftAdapter(folder: string): LoraAdapter {
  const weights = join(folder, weightsName);
  const missing = [configName, weightsName].filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    const pickled = existsSync(join(folder, "adapter_model.bin"));
    const help = pickled ? "adapter_model.bin is pickled code: save it with safe_serialization=True" : undefined;
    fail(fileDiagnostic("MRL0101", folder, `expected a PEFT adapter; ${missing.join(" and ")} is missing`, help));
  }
  for (const name of [configName, weightsName]) refuseForeignLink(folder, join(folder, name));
  const checkedConfig = readPeftConfig(join(folder, configName));
  const store = openSafetensors(weights);
  const keys = sortKeys(store, weights, checkedConfig.value);
  throwIfAny([...checkedConfig.problems, ...keys.problems]);
  const config = checkedConfig.value!;
  const matches = createPatternMatcher();
  const targetProblems = targetMismatches(config, matches, [...keys.pairs.keys()], join(folder, configName));
  const modules = [...keys.pairs]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([module, pair]) => readLoraModule(store, config, matches, module, pair));
  const saved = readSavedWeights(store, keys.savedWeights, config);
  const savedProblems = saved.problems.map(({ about, message }) =>
    fileDiagnostic("MRL0142", `${folder}, "${about}"`, message),
  );
  throwIfAny([...targetProblems, ...modules.flatMap(({ problems }) => problems), ...savedProblems]);
  return {
    folder,
    modules: modules.map(({ value }) => value!),
    savedWeights: saved.weights,
    fanInFanOut: config.fanInFanOut,
    targetsModule: targetTest(config),
  };
}

/** Called long after the adapter was read, so patterns get a new time limit. */
function targetTest(config: PeftConfig): (module: string) => boolean {
  let matches: PatternMatcher | undefined;
  return (module) => {
    matches ??= createPatternMatcher();
    return isTarget(config, matches, module);
  };
}

interface LoraKeys {
  readonly A: string;
  readonly B: string;
}

interface AdapterKeys {
  /** By module path. */
  readonly pairs: ReadonlyMap<string, LoraKeys>;
  /** Parameter names of fully trained weights, by key. */
  readonly savedWeights: ReadonlyMap<string, string>;
  readonly problems: readonly Diagnostic[];
}

/** Without a configuration, which has problems of its own, every other key counts as unknown. */
function sortKeys(store: SafetensorsFile, file: string, config: PeftConfig | undefined): AdapterKeys {
  const problems: Diagnostic[] = [];
  const found = new Map<string, Partial<Record<"A" | "B", string>>>();
  const others: string[] = [];
  for (const key of store.entries.keys()) {
    const [, module, half] = keyPattern.exec(key) ?? [];
    if (module && half && found.get(module)?.[half as "A" | "B"] !== undefined) {
      problems.push(fileDiagnostic("MRL0142", `${file}, tensor "${key}"`, `lora_${half} of "${module}" occurs twice`));
    } else if (module && half) found.set(module, { ...found.get(module), [half]: key });
    else others.push(key);
  }
  const modules = new Set(found.keys());
  const savedWeights = new Map<string, string>();
  for (const key of others) {
    const name = config && savedWeightName(key, config, modules);
    if (name !== undefined) savedWeights.set(key, name);
    else
      problems.push(
        fileDiagnostic(
          "MRL0142",
          `${file}, tensor "${key}"`,
          `this is not a tensor of a LoRA adapter: ${unknownKeyReason(key)}`,
        ),
      );
  }
  for (const name of findDuplicates(savedWeights.values()))
    problems.push(fileDiagnostic("MRL0142", file, `"${name}" occurs twice`));
  if (found.size === 0) problems.push(fileDiagnostic("MRL0142", file, "the file has no LoRA tensors"));
  const pairs = new Map<string, LoraKeys>();
  for (const [module, { A, B }] of found) {
    if (A && B) pairs.set(module, { A, B });
    else problems.push(fileDiagnostic("MRL0142", `${file}, module "${module}"`, `lora_${A ? "B" : "A"} is missing`));
  }
  return { pairs, savedWeights, problems };
}

function unknownKeyReason(key: string): string {
  if (/lora_embedding_[AB]/.test(key)) return "LoRA on embeddings is not supported";
  if (/lora_magnitude_vector/.test(key)) return "DoRA is not supported";
  if (/lora_[AB]\.bias$/.test(key)) return "a bias on LoRA layers is not supported";
  if (/lora_[AB]/.test(key)) return "expected base_model.model.<module>.lora_A.weight or …lora_B.weight";
  return "it is a full weight, and neither modules_to_save nor bias lists it";
}

function readLoraModule(
  store: SafetensorsFile,
  config: PeftConfig,
  matches: PatternMatcher,
  module: string,
  pair: LoraKeys,
): Checked<LoraModule> {
  const rank = patternValue(matches, config.rankPattern, module) ?? config.rank;
  const alpha = patternValue(matches, config.alphaPattern, module) ?? config.alpha;
  const problems: Diagnostic[] = [];
  const rows = store.entries.get(pair.A)!.shape;
  const columns = store.entries.get(pair.B)!.shape;
  const complain = (key: string, message: string) =>
    problems.push(fileDiagnostic("MRL0142", `tensor "${key}"`, message));
  if (rows.length !== 2 || rows[0] !== rank) complain(pair.A, `expected [${rank}, in], found [${rows.join(", ")}]`);
  if (columns.length !== 2 || columns[1] !== rank) {
    complain(pair.B, `expected [out, ${rank}], found [${columns.join(", ")}]`);
  }
  if (problems.length > 0) return invalid(...problems);
  const scale = alpha / (config.rankStabilized ? Math.sqrt(rank) : rank);
  const a = transpose(readSafetensor(store, pair.A));
  const stored = transpose(readSafetensor(store, pair.B));
  // (x·A)·B·s = (x·A)·(B·s)
  const b = { shape: stored.shape, data: stored.data.map((value) => value * scale) };
  for (const [key, half] of [[pair.A, a] as const, [pair.B, b] as const]) {
    const bad = findNonFinite(half);
    if (bad) complain(key, `${counted(bad.count, "value is", "values are")} not finite`);
  }
  return { value: { module, a, b, rank, scale }, problems };
}

/** The first pattern whose match ends the module path, as in PEFT's get_pattern_key. */
function patternValue(
  matches: PatternMatcher,
  patterns: ReadonlyMap<string, number>,
  module: string,
): number | undefined {
  for (const [pattern, value] of patterns) if (matches(`(?:.*\\.)?(?:${pattern})`, module)) return value;
  return undefined;
}

const endsWithSegment = (path: string, name: string): boolean => path === name || path.endsWith(`.${name}`);

function isExcluded({ excludeModules, modulesToSave }: PeftConfig, matches: PatternMatcher, module: string): boolean {
  const named = Array.isArray(excludeModules)
    ? (excludeModules as readonly string[]).some((name) => endsWithSegment(module, name))
    : matches((excludeModules as { pattern: string }).pattern, module);
  // A fully trained module gets no adapter.
  return named || modulesToSave.some((name) => endsWithSegment(module, name) || `.${module}.`.includes(`.${name}.`));
}

/** Whether PEFT puts an adapter on a linear layer of this path. */
function isTarget(config: PeftConfig, matches: PatternMatcher, module: string): boolean {
  const { targetModules, layersToTransform } = config;
  if (isExcluded(config, matches, module)) return false;
  if (!Array.isArray(targetModules)) {
    const { pattern } = targetModules as { pattern: string };
    // PEFT determined which layers are linear and not a head when it wrote the adapter.
    return pattern !== "all-linear" && matches(pattern, module);
  }
  const names = targetModules as readonly string[];
  if (names.includes(module)) return true;
  return (
    names.some((name) => endsWithSegment(module, name)) &&
    (!layersToTransform || layersToTransform.includes(layerIndexOf(config, matches, module)))
  );
}

/** Checks that every tensor belongs to a target of the configuration, and that every target has a tensor. */
function targetMismatches(
  config: PeftConfig,
  matches: PatternMatcher,
  modules: readonly string[],
  file: string,
): readonly Diagnostic[] {
  const problems: Diagnostic[] = [];
  const { targetModules } = config;
  const names = Array.isArray(targetModules) ? (targetModules as readonly string[]) : [];
  const isNamed = (module: string): boolean => {
    if (Array.isArray(targetModules)) return names.some((name) => endsWithSegment(module, name));
    const { pattern } = targetModules as { pattern: string };
    return pattern === "all-linear" || matches(pattern, module);
  };
  const at = (module: string) => `${file}, module "${module}"`;
  for (const module of modules) {
    const complain = (message: string) => problems.push(fileDiagnostic("MRL0142", at(module), message));
    if (!isNamed(module)) complain("it has tensors, but target_modules does not name it");
    else if (isExcluded(config, matches, module)) {
      complain("it has tensors, but exclude_modules or modules_to_save names it");
    } else if (
      config.layersToTransform &&
      !names.includes(module) &&
      !config.layersToTransform.includes(layerIndexOf(config, matches, module))
    ) {
      complain("it has tensors, but layers_to_transform does not list its layer");
    }
  }
  for (const name of names) {
    if (modules.some((module) => endsWithSegment(module, name)) || isExcluded(config, matches, name)) continue;
    problems.push(
      fileDiagnostic("MRL0142", file, `target_modules names "${name}", but the adapter has no tensors for it`),
    );
  }
  for (const layer of config.layersToTransform ?? []) {
    if (modules.some((module) => layerIndexOf(config, matches, module) === layer)) continue;
    problems.push(
      fileDiagnostic("MRL0142", file, `layers_to_transform names layer ${layer}, but no tensor belongs to it`),
    );
  }
  return problems;
}

/**
 * The first number among the path's segments that layers_pattern allows: 3 of `model.layers.3.mlp.experts.0`; else -1.
 */
function layerIndexOf({ layersPattern }: PeftConfig, matches: PatternMatcher, module: string): number {
  const segments = module.split(".");
  const at = segments.findIndex((segment, index) => {
    if (!/^\d+$/.test(segment)) return false;
    const before = segments.slice(0, index).join(".");
    return layersPattern.length === 0 || layersPattern.some((pattern) => matches(`(?:.*\\.)?(?:${pattern})`, before));
  });
  return at === -1 ? -1 : Number(segments[at]);
}
