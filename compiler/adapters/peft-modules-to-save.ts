import { counted } from "../../ir/counted.ts";
import type { SavedWeight } from "../ownership/index.ts";
import { findNonFinite, readSafetensor, type SafetensorsFile } from "../tensors/index.ts";
import type { PeftConfig } from "./peft-config.ts";

/** PEFT saves a classification head under one of these names, and lists both in the configuration. */
const defaultHeads = ["classifier", "score"];

/** PEFT's embedding names. It saves them unchanged where they are targets or on request. */
const embeddings = /(^|\.)(embed_tokens|lm_head|wte|shared|embed_in|embed_out)\.weight$/;

/** PEFT matches every module whose path ends with these letters: `norm` matches `input_layernorm` as well. */
function isSaved(name: string, { modulesToSave }: PeftConfig): boolean {
  const module = name.slice(0, name.lastIndexOf("."));
  const within = module.split(".").map((_, end, all) => all.slice(0, end + 1).join("."));
  return within.some((outer) => modulesToSave.some((each) => outer.endsWith(each)));
}

/**
 * The parameter behind a key if the configuration says that it was trained (as a bias or part of a saved module), or if
 * it is an embedding.
 */
export function savedWeightName(key: string, config: PeftConfig, loraModules: ReadonlySet<string>): string | undefined {
  const [, path] = /^base_model\.model\.(.+\..+)$/.exec(key) ?? [];
  if (path === undefined || /\blora_/.test(path)) return undefined;
  // PEFT wraps the layers that it trains.
  const name = path.replace(/\.base_layer\.(weight|bias)$/, ".$1").replace(/\.modules_to_save\.(default\.)?/, ".");
  if (isSaved(name, config) || embeddings.test(name)) return name;
  const module = name.slice(0, name.lastIndexOf("."));
  const trained = config.bias === "all" || (config.bias === "lora_only" && loraModules.has(module));
  return trained && name.endsWith(".bias") ? name : undefined;
}

export interface ReadSavedWeights {
  /** Sorted by name. */
  readonly weights: readonly SavedWeight[];
  /** Problems, each with the key or the field that it is about. */
  readonly problems: readonly { readonly about: string; readonly message: string }[];
}

/** Reads the weights of these keys. Every module of modules_to_save must have some. */
export function readSavedWeights(
  store: SafetensorsFile,
  keys: ReadonlyMap<string, string>,
  config: PeftConfig,
): ReadSavedWeights {
  const problems: { about: string; message: string }[] = [];
  const { modulesToSave } = config;
  const found = [...keys.values()];
  const isFound = (module: string): boolean => found.some((name) => name.includes(`${module}.`));
  for (const module of modulesToSave) {
    if (
      isFound(module) ||
      (defaultHeads.includes(module) && defaultHeads.some((head) => modulesToSave.includes(head) && isFound(head)))
    )
      continue;
    problems.push({ about: "modules_to_save", message: `it names "${module}", but the adapter has no tensors for it` });
  }
  const weights = [...keys]
    .map(([key, name]) => {
      const tensor = readSafetensor(store, key);
      const bad = findNonFinite(tensor);
      if (bad) problems.push({ about: key, message: `${counted(bad.count, "value is", "values are")} not finite` });
      return { name, tensor, ...(!isSaved(name, config) && embeddings.test(name) && { kept: true }) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { weights, problems };
}
