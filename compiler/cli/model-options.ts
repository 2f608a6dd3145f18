import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";
import type { ModelOptions } from "../api/index.ts";
import { given } from "../api/index.ts";
import type { OptionSpec, ParsedOptions } from "./command.ts";
import {
  ownersOf,
  readBuckets,
  readDims,
  readFixedInputs,
  readLink,
  readLowRank,
  readPrecision,
  readReveals,
} from "./option-values.ts";

/** Who owns what, and how the model is compiled: the same for compile, cost and inspect. */
export const modelOptions: readonly OptionSpec[] = [
  { flags: "--base <path>", help: "the public model that this one was tuned from: weights that are equal are public" },
  {
    flags: "--adapter <path>",
    help: "a LoRA adapter of the server's: a folder as PEFT saves it, or an .onnx_adapter file of ONNX Runtime",
  },
  {
    flags: "--base-adapter <peft-dir>",
    help: "what the adapter started from, public: an A that is equal is public too",
  },
  {
    flags: "--low-rank <r[@tolerance]>",
    help: "adapters of rank r are merged into the model: public base, private A and B (tolerance: part of a change that may be left out, default 1e-4)",
  },
  {
    flags: "--private <pattern>",
    help: "weights with such names are the server's; * stands for anything",
    repeats: true,
  },
  { flags: "--input <name:owner>", help: "who holds an input: client (default), server or public", repeats: true },
  {
    flags: "--reveal <name:reader>",
    help: "the client may read this output; * stands for anything. Outputs that no --reveal names are not computed",
    repeats: true,
  },
  {
    flags: "--head <what>",
    help: "what the client receives: logits or token",
    choices: ["logits", "token"],
  },
  {
    flags: "--fix <name=number>",
    help: "an input of whole numbers that is this number everywhere, in every query: attention_mask=1 of texts without padding",
    repeats: true,
  },
  { flags: "--dim <name=size>", help: "size of a symbolic dimension", repeats: true },
  {
    flags: "--buckets <n,…>",
    help: "for generation: programs of shorter windows too, so that a text that fits into one pays for no more",
  },
  {
    flags: "--setting <setting>",
    help: "2pc-dealer or 3pc (default: 2pc-dealer)",
    choices: ["2pc-dealer", "3pc"],
  },
  { flags: "--truncation <kind>", help: "fast or exact (default: fast)", choices: ["fast", "exact"] },
  {
    flags: "--numerics <name>",
    help: `marill, or as another system computes: ${[...presets.keys()].join(", ")} (docs/presets.md) (default: marill)`,
    choices: ["marill", ...presets.keys()],
  },
  {
    flags: "--calibrate <path>",
    help: "public inputs that ranges are measured on: .npz or .pb in a folder, or prompts as .jsonl",
  },
  {
    flags: "--precision <what=bits>",
    help: "fractional bits of activation, weight, query, value or probability (default: 12, of query 8, of value 10)",
    repeats: true,
  },
  {
    flags: "--objective <what>",
    help: "what is made least on the link: time, online time or total bytes: time, online or total (default: time)",
    choices: ["time", "online", "total"],
  },
];

/** Links that have names. */
export const linkNames: readonly string[] = Object.keys(linkProfiles);

export const linkOption: OptionSpec = {
  flags: "--link <link>",
  help: "the link that protocols are chosen for: lan, wan, or <Mbit/s>x<round-trip ms> (default: wan)",
  choices: linkNames,
};

/** Options that are known by name and not built yet, with what to do instead. */
export type UnsupportedOptions = readonly (readonly [option: string, instead: string])[];

/** What the command line cannot ask for yet, all at once. */
export function refuseUnsupported(options: ParsedOptions, unsupported: UnsupportedOptions): void {
  const refused = unsupported.flatMap(([option, help]): Diagnostic[] => {
    const given = options.text(option) ?? (options.flag(option) ? "" : undefined);
    if (given === undefined) return [];
    const value = typeof given === "string" && given !== "" ? ` ${given}` : "";
    return [{ code: "MRL0801", message: `--${option}${value} is not supported by this version`, help }];
  });
  throwIfAny(refused);
}

/** The options of a model, as the command line gives them; `links` of `cost` are not among them. */
export function modelOptionsOf(model: string, options: ParsedOptions): Omit<ModelOptions, "link"> {
  const names = ["base", "adapter", "baseAdapter", "calibrate", "setting", "truncation", "objective", "head"] as const;
  const texts = names.map((name) => [name, options.text(name)]);
  const owners = options.list("private");
  const buckets = readBuckets(options);
  const precision = readPrecision(options);
  // Values that are not offered are refused by name, all at once, where the options are resolved.
  return given({
    model,
    ...Object.fromEntries(texts),
    preset: options.text("numerics"),
    mergedLora: readLowRank(options),
    private: owners.length > 0 ? owners : undefined,
    reveal: readReveals(options),
    inputs: ownersOf(options),
    dims: readDims(options, 0),
    precision: Object.keys(precision).length > 0 ? precision : undefined,
    fixed: readFixedInputs(options),
    buckets: buckets.length > 0 ? buckets : undefined,
  }) as Omit<ModelOptions, "link">;
}

/** With the link of `--link`, which these commands take once. */
export const linkedOptionsOf = (model: string, options: ParsedOptions): ModelOptions =>
  given({ ...modelOptionsOf(model, options), link: readLink(options) }) as ModelOptions;
