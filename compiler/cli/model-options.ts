import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { qualities } from "../../passes/4-quantize/index.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";
import { given, type ModelOptions, usage } from "../api/index.ts";
import { flagOf, type OptionSpec, optionKey, type ParsedOptions } from "./command.ts";
import {
  ownersOf,
  readAdapters,
  readBuckets,
  readDims,
  readFixedInputs,
  readGuard,
  readLink,
  readMargin,
  readMergedLora,
  readPrecision,
  readReveals,
} from "./option-values.ts";
import { nameBeforeColon, nameBeforeEquals, nameBeforeNumber } from "./repeated-options.ts";

/** Owners and compilation: the same options for compile, cost, check and inspect. */
export const modelOptions: readonly OptionSpec[] = [
  { flags: "--base <path>", help: "public model that this one was fine-tuned from; equal weights are public" },
  {
    flags: "--adapter <[name=]path>",
    help: "private LoRA adapter: a PEFT folder, or an .onnx_adapter file of ONNX Runtime. a+b: the sum of two PEFT folders; name=path, repeated: adapters of which the server chooses (run, serve --adapter name)",
    repeats: true,
    subject: nameBeforeEquals,
  },
  {
    flags: "--base-adapter <peft-dir>",
    help: "public adapter that training started from; an unchanged A stays public",
  },
  {
    flags: "--merged-lora <rank[@tolerance]>",
    help: "recover adapters of this rank that were merged into the model: public base, private A and B (tolerance: relative error allowed, default: 1e-4)",
  },
  {
    flags: "--private <pattern>",
    help: "mark matching weights as private to the server; * matches any characters",
    repeats: true,
  },
  {
    flags: "--public <pattern>",
    help: "mark weights as public that --private names by a broader pattern, or that the base does not have",
    repeats: true,
  },
  {
    flags: "--input <name:owner>",
    help: "who holds this input: client (default), server, public, or shared: client and server each have a share that another program left them; name:shared=<build> takes its bounds from that program",
    repeats: true,
    subject: nameBeforeColon,
  },
  {
    flags: "--reveal <name:reader>",
    help: "who learns this output: client, server or both; or shared: nobody, and each party keeps its share for a later program; * matches any characters. Outputs without --reveal are not computed",
    repeats: true,
    // y:client and y:server are two readers; y:both says both.
    subject: (value) => value,
  },
  {
    flags: "--head <output>",
    help: "what the client receives: logits or token",
    choices: ["logits", "token"],
  },
  {
    flags: "--fix <name=integer>",
    help: "fix an integer input to a constant in every query, as attention_mask=1 for text without padding",
    repeats: true,
    subject: nameBeforeNumber,
  },
  {
    flags: "--dim <name=size>",
    help: "size of a dimension, by its name or its position: batch=1, x.0=1",
    repeats: true,
    subject: nameBeforeNumber,
  },
  {
    flags: "--buckets <lengths>",
    help: "for generation: also compile these shorter prompt lengths, so that a short prompt costs less",
  },
  {
    flags: "--setting <setting>",
    help: "2pc-dealer or 3pc (default: 2pc-dealer)",
    choices: ["2pc-dealer", "3pc"],
  },
  { flags: "--truncation <mode>", help: "fast or exact (default: fast)", choices: ["fast", "exact"] },
  {
    flags: "--preset <name>",
    help: `numerical preset: marill, or the approximations of another system: ${[...presets.keys()].join(", ")} (docs/presets.md; default: marill)`,
    choices: ["marill", ...presets.keys()],
  },
  {
    flags: "--calibrate <path>",
    help: "public inputs to measure value ranges on: a folder of .npz or .pb files, or prompts in a .jsonl file",
  },
  {
    flags: "--margin <factor>",
    help: "multiply measured ranges by this factor, 1 to 1024: room for private weights and other queries (default: 4; 64 without --base and --adapter; 2 with --publish-ranges)",
  },
  {
    flags: "--ranges <file>",
    help: "public bounds by value, as --write-ranges of compile writes them: they come before measured ones",
  },
  {
    flags: "--publish-ranges",
    help: "measure ranges with the private weights, and publish each bound as a power of two: the manifest lists them",
  },
  {
    flags: "--scale-features",
    help: "divide each feature by the power of two above its size on the calibration inputs, and multiply the private weights that it meets by that: for features of very different sizes",
  },
  {
    flags: "--quality <quality>",
    help: "nearness of the answer against traffic: fast, balanced or precise (docs/precision.md; default: balanced)",
    choices: Object.keys(qualities),
  },
  {
    flags: "--precision <kind=bits>",
    help: "fractional bits of activation, weight, query, value or probability, over those of --quality",
    repeats: true,
    subject: nameBeforeNumber,
  },
  {
    flags: "--guard [layer]",
    help: "have the parties check the ranges of this layer's values (* matches any characters; without a name: of all layers); the client learns one bit, whether the answer can be trusted",
    repeats: true,
  },
  {
    flags: "--objective <metric>",
    help: "metric to minimize on the link: time, online (time after the input is known) or total (bytes) (default: time)",
    choices: ["time", "online", "total"],
  },
];

/** `check` refuses what `compile` does, so it verifies as `compile` does. */
export const verifyOptions: readonly OptionSpec[] = [
  {
    flags: "--verify",
    help: "compare secure answers on calibration samples with float64, and float64 with ONNX Runtime (default: for small models)",
  },
  { flags: "--no-verify", help: "skip that comparison" },
];

/** Named links. */
export const linkNames: readonly string[] = Object.keys(linkProfiles);

export const linkOption: OptionSpec = {
  flags: "--link <link>",
  help: "network to choose protocols for: lan, wan, or <Mbit/s>x<round-trip ms> (default: wan)",
  choices: linkNames,
};

/** @throws UsageError for an option of a model that is given with a build or a student, which it could not change */
export function refuseForBuild(options: ParsedOptions, specs: readonly OptionSpec[], what = "a build"): void {
  const flag = specs.map(flagOf).find((each) => {
    const key = optionKey(each);
    return options.list(key).length > 0 || options.flag(key);
  });
  if (flag) usage(`${flag} applies to models: ${what} has fixed sizes and owners`);
}

/** Options that this version only refuses, with what to do instead. */
export type UnsupportedOptions = readonly (readonly [option: string, instead: string])[];

/** @throws DiagnosticError MRL0801 for all given options that this version does not support */
export function refuseUnsupported(options: ParsedOptions, unsupported: UnsupportedOptions): void {
  const refused = unsupported.flatMap(([option, help]): Diagnostic[] => {
    const given = options.text(option) ?? (options.flag(option) ? "" : undefined);
    if (given === undefined) return [];
    const value = typeof given === "string" && given !== "" ? ` ${given}` : "";
    return [{ code: "MRL0801", message: `--${option}${value} is not supported by this version`, help }];
  });
  throwIfAny(refused);
}

/** Reads the options of a model. `cost` reads its `--link` itself: it takes several. */
export function modelOptionsOf(model: string, options: ParsedOptions): Omit<ModelOptions, "link"> {
  const names = [
    "base",
    "baseAdapter",
    "calibrate",
    "ranges",
    "setting",
    "truncation",
    "objective",
    "head",
    "quality",
  ] as const;
  const texts = names.map((name) => [name, options.text(name)]);
  const [owners, open] = [options.list("private"), options.list("public")];
  const buckets = readBuckets(options);
  const precision = readPrecision(options);
  const guard = readGuard(options);
  // resolveOptions refuses unknown values, all at once.
  return given({
    model,
    ...Object.fromEntries(texts),
    adapter: readAdapters(options),
    preset: options.text("preset"),
    mergedLora: readMergedLora(options),
    private: owners.length > 0 ? owners : undefined,
    public: open.length > 0 ? open : undefined,
    reveal: readReveals(options),
    inputs: ownersOf(options),
    dims: readDims(options, 0),
    margin: readMargin(options),
    publishRanges: options.flag("publishRanges") || undefined,
    scaleFeatures: options.flag("scaleFeatures") || undefined,
    guard: guard.length > 0 ? guard : undefined,
    precision: Object.keys(precision).length > 0 ? precision : undefined,
    fixed: readFixedInputs(options),
    buckets: buckets.length > 0 ? buckets : undefined,
  }) as Omit<ModelOptions, "link">;
}

/** The same with `--link`, which these commands take once. */
export const linkedOptionsOf = (model: string, options: ParsedOptions): ModelOptions =>
  given({ ...modelOptionsOf(model, options), link: readLink(options) }) as ModelOptions;
