import { type Diagnostic, fail } from "../../ir/diagnostic.ts";
import { type Checked, fileDiagnostic, invalid, readWholeFile, valid } from "../tensors/files/index.ts";
import { isObject, type Json, type JsonObject, parseJson } from "../tensors/index.ts";

/** The fields of adapter_config.json that change values. */
export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  /** alpha / sqrt(r) instead of alpha / r. */
  readonly rankStabilized: boolean;
  readonly rankPattern: ReadonlyMap<string, number>;
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** Module names by suffix, a pattern over whole paths, or every linear layer. */
  readonly targetModules: readonly string[] | { readonly pattern: string };
  readonly excludeModules: readonly string[] | { readonly pattern: string };
  /** Layer indices; absent: all. */
  readonly layersToTransform: readonly number[] | undefined;
  /** Patterns of the segment before a layer's index; none: any segment. */
  readonly layersPattern: readonly string[];
  /** The base stores weights as [in, out] (GPT-2's Conv1D); A and B have the same layout either way. */
  readonly fanInFanOut: boolean;
  /** Which biases were trained too, and are stored in full. */
  readonly bias: "none" | "all" | "lora_only";
  /** Fully trained modules, by the end of their path. */
  readonly modulesToSave: readonly string[];
}

const maxConfigBytes = 1_000_000;

/** Fields on training, file locations and authorship: they do not affect what the adapter computes. */
const ignoredFields = new Set([
  "auto_mapping",
  "base_model_name_or_path",
  "eva_config",
  "inference_mode",
  "lora_dropout",
  "megatron_config",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
  "task_type",
]);

/** Initializations that leave the base unchanged; the others (pissa, olora, loftq, corda, lora_ga) change it. */
const neutralInits: ReadonlySet<Json> = new Set([true, false, null, "gaussian", "orthogonal", "eva"]);

const unsupported = new Map([
  ["use_dora", "DoRA"],
  ["use_qalora", "QALoRA"],
  ["use_bdlora", "block-diagonal LoRA"],
  ["lora_bias", "a bias on lora_B"],
  ["target_parameters", "LoRA on bare parameters (target_parameters)"],
  ["trainable_token_indices", "trained token embeddings"],
  ["layer_replication", "replicated layers"],
  ["alora_invocation_tokens", "activated LoRA"],
]);

type ConfigCheck = (config: JsonObject, key: string) => string | undefined;

const configChecks: ReadonlyMap<string, ConfigCheck> = new Map<string, ConfigCheck>([
  [
    "peft_type",
    (config, key) => (config.get(key) === "LORA" ? undefined : `expected "LORA", found ${fieldText(config, key)}`),
  ],
  [
    "bias",
    (config, key) =>
      [undefined, null, "none", "all", "lora_only"].includes(config.get(key) as never)
        ? undefined
        : 'expected "none", "all" or "lora_only"',
  ],
  [
    "modules_to_save",
    (config, key) => (isEmpty(config.get(key)) || isNames(config.get(key)) ? undefined : "expected a list of names"),
  ],
  [
    "init_lora_weights",
    (config, key) => {
      const start = config.get(key);
      if (start === undefined || neutralInits.has(start)) return undefined;
      return `${fieldText(config, key)} changes the base weights: save the adapter in converted form`;
    },
  ],
  [
    "r",
    (config, key) =>
      isRank(config.get(key)) ? undefined : `expected a positive integer, found ${fieldText(config, key)}`,
  ],
  [
    "lora_alpha",
    (config, key) => (isAlpha(config.get(key)) ? undefined : `expected a number, found ${fieldText(config, key)}`),
  ],
  ["use_rslora", isFlag],
  ["fan_in_fan_out", isFlag],
  ["rank_pattern", (config, key) => (isPattern(config.get(key), isRank) ? undefined : "expected positive integers")],
  ["alpha_pattern", (config, key) => (isPattern(config.get(key), isAlpha) ? undefined : "expected numbers")],
  [
    "target_modules",
    (config, key) => {
      const value = config.get(key);
      return isNames(value) || typeof value === "string" ? undefined : "expected a list of names or a pattern";
    },
  ],
  [
    "exclude_modules",
    (config, key) =>
      isEmpty(config.get(key)) || isNames(config.get(key)) || typeof config.get(key) === "string"
        ? undefined
        : "expected a list of names or a pattern",
  ],
  [
    "layers_pattern",
    (config, key) =>
      isEmpty(config.get(key)) || isNames(config.get(key)) || typeof config.get(key) === "string"
        ? undefined
        : "expected a pattern or a list of them",
  ],
  [
    "ensure_weight_tying",
    (config, key) =>
      isEmpty(config.get(key)) ||
      (isEmpty(config.get("modules_to_save")) && !targetsTiedWeights(config.get("target_modules")))
        ? undefined
        : "weights tied to a trained module are trained with it, and the compiler replaces weights one by one",
  ],
  [
    "layers_to_transform",
    (config, key) => {
      const value = config.get(key) ?? null;
      return value === null || isIndex(value) || (Array.isArray(value) && value.every(isIndex))
        ? undefined
        : "expected only indices";
    },
  ],
]);

/**
 * Reads adapter_config.json, and returns the problems too. Refuses a field that may change values in a way that the
 * compiler does not compute.
 */
export function readPeftConfig(file: string): Checked<PeftConfig> {
  const json = parseJson(new TextDecoder().decode(readWholeFile(file, maxConfigBytes, "MRL0140")), file, "MRL0140");
  if (!isObject(json)) return fail(fileDiagnostic("MRL0140", file, "the configuration is not an object"));
  const problems: Diagnostic[] = [];
  for (const [key, check] of configChecks) {
    const fault = check(json, key);
    if (fault) problems.push(fileDiagnostic("MRL0140", `${file}, "${key}"`, `unsupported value: ${fault}`));
  }
  for (const [key, value] of json) {
    if (configChecks.has(key) || ignoredFields.has(key) || isEmpty(value)) continue;
    const what = unsupported.get(key) ?? "this field, which may change the adapter's result,";
    problems.push(fileDiagnostic("MRL0141", `${file}, "${key}"`, `${what} is not supported`));
  }
  return problems.length > 0 ? invalid(...problems) : valid(configOf(json));
}

function configOf(json: JsonObject): PeftConfig {
  const targets = json.get("target_modules") as string | readonly string[];
  const layers = json.get("layers_to_transform") ?? undefined;
  return {
    rank: json.get("r") as number,
    alpha: json.get("lora_alpha") as number,
    rankStabilized: json.get("use_rslora") === true,
    rankPattern: patternOf(json, "rank_pattern"),
    alphaPattern: patternOf(json, "alpha_pattern"),
    targetModules: typeof targets === "string" ? { pattern: targets } : targets,
    excludeModules: namesOrPattern(json.get("exclude_modules")),
    layersToTransform: typeof layers === "number" ? [layers] : (layers as readonly number[] | undefined),
    layersPattern: listOf(json.get("layers_pattern")),
    fanInFanOut: json.get("fan_in_fan_out") === true,
    bias: (json.get("bias") as PeftConfig["bias"] | null | undefined) ?? "none",
    modulesToSave: (json.get("modules_to_save") as readonly string[] | false | null | undefined) || [],
  };
}

const namesOrPattern = (value: Json | undefined): PeftConfig["excludeModules"] => {
  return typeof value === "string" && value !== "" ? { pattern: value } : ((value || []) as readonly string[]);
};

const listOf = (value: Json | undefined): readonly string[] =>
  typeof value === "string" ? [value].filter(Boolean) : ((value || []) as readonly string[]);

/** Models tie embeddings and heads; a pattern may match them. */
const targetsTiedWeights = (targets: Json | undefined): boolean =>
  !Array.isArray(targets) || targets.some((name) => /(^|\.)(\w*embed\w*|wte|lm_head)$/.test(String(name)));

function patternOf(json: JsonObject, key: string): ReadonlyMap<string, number> {
  return (json.get(key) as ReadonlyMap<string, number> | null | undefined) ?? new Map();
}

function fieldText(config: JsonObject, key: string): string {
  const value = config.get(key);
  return value === undefined ? "nothing" : isObject(value) ? "an object" : JSON.stringify(value);
}

function isFlag(config: JsonObject, key: string): string | undefined {
  return [undefined, null, true, false].includes(config.get(key) as never) ? undefined : "expected true or false";
}

/** null, false, {} and [] switch a feature off, also one that a later PEFT adds. */
function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false) return true;
  return isObject(value) ? value.size === 0 : Array.isArray(value) && value.length === 0;
}

function isIndex(value: Json | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRank(value: Json | undefined): value is number {
  return isIndex(value) && value > 0;
}

function isAlpha(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isNames(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
}

function isPattern(value: Json | undefined, valid: (item: Json | undefined) => boolean): boolean {
  return isEmpty(value) || (isObject(value) && [...value.values()].every(valid));
}
