import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Label } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Reveal } from "../../passes/1-split/index.ts";
import type { HeadPolicy } from "../../passes/2-rewrite/index.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import type { Objective } from "../../passes/5-select/index.ts";
import { type LinkProfile, linkProfiles } from "../../runtime/transport/index.ts";
import type { LowRankOptions } from "../adapters/index.ts";
import { isOnnxAdapter } from "../adapters/index.ts";

export interface CompileOptions {
  /** Path of the ONNX model. */
  readonly model: string;
  /** Public base: ONNX file, safetensors file, or folder. */
  readonly base?: string;
  /** A private adapter: a PEFT folder, or an .onnx_adapter file whose parameters are inputs of the model. */
  readonly adapter?: string;
  /** Folder of the public adapter that the private one started from: an equal A is public. */
  readonly baseAdapter?: string;
  /**
   * Adapters of this rank are merged into the model: its changes of the base's matrices are factorized into A and B.
   */
  readonly lowRank?: LowRankOptions;
  /** Patterns of private weight names. */
  readonly private?: readonly string[];
  /** Owner of each input; default: the client. */
  readonly inputs?: Readonly<Record<string, Label>>;
  readonly reveal?: readonly Reveal[];
  readonly head?: HeadPolicy;
  /** Sizes of symbolic dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Integer inputs fixed to a constant for all queries: they are public, and no query supplies them. */
  readonly fixed?: Readonly<Record<string, number>>;
  readonly setting?: string;
  readonly truncation?: string;
  readonly numerics?: string;
  /** The link that protocols are chosen for; `parseLink` parses the names of the command line. */
  readonly link?: LinkProfile;
  /** The metric to minimize on it: time, online or total. */
  readonly objective?: string;
  /** Public inputs for measuring ranges: a folder of .npz or .pb, or a .jsonl of prompts. */
  readonly calibrate?: string;
  /** Measured magnitudes are multiplied by this factor. */
  readonly margin?: number;
  readonly precision?: Partial<Precision>;
  /** Lengths of shorter windows beside the model's own, for generation from shorter prompts. */
  readonly buckets?: readonly number[];
  /** Name of the program; default: that of the model's file. */
  readonly name?: string;
}

export interface ResolvedOptions extends CompileOptions {
  readonly setting: "2pc-dealer" | "3pc";
  readonly truncation: "fast" | "exact";
  /** marill, or the name of a preset. */
  readonly numerics: string;
  readonly link: LinkProfile;
  readonly objective: Objective;
  readonly margin: number;
}

interface EnumeratedOption {
  readonly option: "setting" | "truncation" | "numerics" | "objective" | "head";
  readonly values: readonly string[];
}

const objectives: readonly Objective[] = ["time", "online", "total"];

/** Values that this version supports; the first is the default. */
const enumeratedOptions: readonly EnumeratedOption[] = [
  { option: "setting", values: ["2pc-dealer", "3pc"] },
  { option: "truncation", values: ["fast", "exact"] },
  { option: "numerics", values: ["marill", ...presets.keys()] },
  { option: "objective", values: objectives },
  { option: "head", values: ["logits", "token"] },
];

/** Magnitudes with a private adapter exceed those of its base: twice two, measured on the fixture as 2.6. */
const defaultRangeMargin = 4;

/** The options with defaults, and their problems. A value that is not implemented is refused, never ignored. */
export function resolveOptions(options: CompileOptions): {
  readonly settled: ResolvedOptions;
  readonly problems: readonly Diagnostic[];
} {
  const problems = enumeratedOptions.flatMap(({ option, values }): Diagnostic[] => {
    const value = options[option];
    if (value === undefined || values.includes(value)) return [];
    return [
      {
        code: "MRL0650",
        message: `--${option} ${value} is not supported by this version`,
        help: `supported: ${values.join(", ")}`,
      },
    ];
  });
  const setting = options.setting === "3pc" ? "3pc" : "2pc-dealer";
  const preset = presets.get(options.numerics ?? "");
  if (preset && !preset.settings.includes(setting)) {
    problems.push({
      code: "MRL0650",
      message: `--numerics ${preset.name} does not run in the setting ${setting}`,
      help: `give --setting ${preset.settings.join(" or ")}`,
    });
  }
  if (preset && (options.buckets ?? []).length > 0) {
    problems.push({
      code: "MRL0656",
      message: `--buckets does not work with --numerics ${preset.name}, which is published for whole windows`,
      help: "leave out --buckets or --numerics",
    });
  }
  if (options.baseAdapter !== undefined && options.adapter === undefined) {
    const help = "add the private adapter: --adapter <peft-dir>";
    problems.push({
      code: "MRL0653",
      message: "--base-adapter needs an adapter that started from it, and none is given",
      help,
    });
  }
  if (options.baseAdapter !== undefined && isOnnxAdapter(options.adapter ?? "")) {
    const help = "give PEFT folders for both adapters, or leave out --base-adapter";
    problems.push({ code: "MRL0655", message: "--base-adapter works with PEFT adapters only", help });
  }
  if (options.lowRank && (options.base === undefined || options.adapter !== undefined)) {
    problems.push({
      code: "MRL0654",
      message: "--low-rank extracts adapters from a model that they were merged into: it needs --base and no --adapter",
      help: "add --base <model before merging>; to use an adapter folder, compile the base model with --adapter",
    });
  }
  const margin = options.margin ?? defaultRangeMargin;
  if (!(margin >= 1 && margin <= 1024)) {
    problems.push({ code: "MRL0651", message: `expected a factor of 1 to 1024 for --margin, found ${options.margin}` });
  }
  return {
    settled: {
      ...options,
      setting,
      truncation: preset?.truncation ?? (options.truncation === "exact" ? "exact" : "fast"),
      numerics: preset?.name ?? "marill",
      link: options.link ?? linkProfiles.wan,
      objective: objectives.find((objective) => objective === options.objective) ?? "time",
      margin,
    },
    problems,
  };
}
