import type { Label } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { type CompileOptions, type ResolvedOptions, requireOptions } from "../load/index.ts";
import { given, type LinkOption, linkOf } from "./values.ts";

/** A party that an output can be opened to. */
export type Reader = "client" | "server";

/** Who holds an input. */
export type Owner = Exclude<Label, "shared">;

/** Who owns which part of a model, and how it is compiled. What is absent has the default that its line names. */
export interface ModelOptions {
  /** Path of the ONNX model. */
  readonly model: string;
  /**
   * The public model that this one was tuned from: an ONNX file, a safetensors file, or a folder of them. Weights that
   * are equal to the base's are public; all others are the server's.
   */
  readonly base?: string;
  /** A private LoRA adapter: a folder as PEFT saves it, or an `.onnx_adapter` file of ONNX Runtime. */
  readonly adapter?: string;
  /** Folder of the public adapter that the private one started from: an equal A is public (LoRA-FA). */
  readonly baseAdapter?: string;
  /**
   * Adapters of this rank are merged into the model, and are taken out of it again; needs `base`. `tolerance`: the part
   * of a change that A·B may leave out, by Frobenius norm (default: 1e-4).
   */
  readonly mergedLora?: { readonly rank: number; readonly tolerance?: number };
  /** Patterns over weight names; `*` stands for any characters. Weights that match are the server's. */
  readonly private?: readonly string[];
  /** Who holds each input, by name. Default: the client. */
  readonly inputs?: Readonly<Record<string, Owner>>;
  /**
   * Who may read which output: `{ logits: "client" }`; `*` in a name stands for any characters. Outputs that are not
   * named are not computed. Nothing else is ever opened.
   */
  readonly reveal?: Readonly<Record<string, Reader | readonly Reader[]>>;
  /** What the client receives of a language model: all logits (default), or the likeliest token alone. */
  readonly head?: "logits" | "token";
  /** Sizes of symbolic dimensions, by name, in elements. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs of integers that hold one number everywhere, in every query: `{ attention_mask: 1 }`. */
  readonly fixed?: Readonly<Record<string, number>>;
  /** Lengths of shorter windows, in tokens: generation of a text that begins within one pays for no more. */
  readonly buckets?: readonly number[];
  /** Two parties with a dealer of randomness (default), or three of which no two collude. */
  readonly setting?: "2pc-dealer" | "3pc";
  /** Products are truncated locally, one unit off at times (`fast`, the default), or as the plaintext rounds (`exact`). */
  readonly truncation?: "fast" | "exact";
  /** `marill` (default), or as another system computes: `crypten`, `mpcformer`, … (docs/presets.md). */
  readonly preset?: string;
  /** The link that protocols are chosen for. Default: `wan`. */
  readonly link?: LinkOption;
  /** What is made least on that link: time (default), time from the input on, or total bytes. */
  readonly objective?: "time" | "online" | "total";
  /** Public inputs that ranges are measured on: a folder of .npz or .pb, or prompts as .jsonl. */
  readonly calibrate?: string;
  /** Measured magnitudes are multiplied by this factor, 1 to 1024. Default: 4. */
  readonly margin?: number;
  /** Fractional bits, 1 to 15, by what they are of. Default: 12; of queries 8, of values 10. */
  readonly precision?: Partial<Precision>;
  /** Name of the program. Default: the name of the model's file. */
  readonly name?: string;
}

/** Part of a change that is left out of adapters unless the options say otherwise. */
export const defaultTolerance = 1e-4;

const readers = (to: Reader | readonly Reader[]): readonly Reader[] => (typeof to === "string" ? [to] : to);

/** The options that the compiler takes, with every default. @throws DiagnosticError with all problems of the options. */
export const resolveModelOptions = (options: ModelOptions): ResolvedOptions =>
  requireOptions(compileOptionsOf(options));

/** The flat options of the command line and the API, nested by subject. */
export function compileOptionsOf({ model, name, ...flat }: ModelOptions): CompileOptions {
  const { base, adapter, baseAdapter, mergedLora, private: names } = flat;
  const { inputs, reveal = {}, head, dims, fixed, buckets } = flat;
  const { setting, link, objective, truncation, preset, precision } = flat;
  const { calibrate, margin } = flat;
  const reveals = Object.entries(reveal).flatMap(([output, to]) => readers(to).map((each) => ({ output, to: each })));
  const lora = mergedLora && { rank: mergedLora.rank, tolerance: mergedLora.tolerance ?? defaultTolerance };
  return {
    model,
    ...given({ name }),
    weights: given({ base, adapter, baseAdapter, mergedLora: lora, private: names }),
    interface: given({ owners: inputs, reveal: reveals, head, dims, constants: fixed, buckets }),
    target: given({
      setting,
      link: link === undefined ? undefined : linkOf(link),
      objective,
      truncation,
      preset,
      precision,
    }),
    calibration: given({ samples: calibrate, margin }),
  };
}
