import type { Label } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import {
  type CompileOptions,
  type InterfaceOptions,
  type ResolvedOptions,
  requireOptions,
  type WeightOptions,
} from "../load/index.ts";
import { usage } from "./errors.ts";
import {
  either,
  type Fields,
  flag,
  integer,
  isText,
  link,
  listOf,
  number,
  objectOf,
  oneOf,
  recordOf,
  required,
  text,
} from "./fields.ts";
import { given, type LinkOption, linkOf } from "./values.ts";

/** Fractional bits that a user may set. */
type GivenPrecision = Partial<Omit<Precision, "significant" | "fine" | "sum">>;

/** A party that an output can be revealed to; `shared`: to none, and each party keeps its share for a later program. */
export type Reader = "client" | "server" | "shared";

/**
 * Who holds an input. `shared`: client and server each hold a share, which another program left them; `from`: the build
 * directory of that program, whose manifest then bounds the input (`build#output` where it leaves several).
 */
export type Owner = Label | { readonly from: string };

/** Owners of the parts of a model, and how it is compiled. */
export interface ModelOptions {
  /** Path of the ONNX model. */
  readonly model: string;
  /**
   * The public model that this one was fine-tuned from: an ONNX file, a safetensors file, or a folder of them. Equal
   * weights are public, all others are private to the server.
   */
  readonly base?: string;
  /**
   * A private LoRA adapter: a PEFT folder, or an `.onnx_adapter` file of ONNX Runtime. A list of PEFT folders: the sum of
   * their changes, as with all of them active. An object: adapters by name, of which the server chooses one for each
   * session (`run`, `serve`); nobody else learns which, how many there are, or their names.
   */
  readonly adapter?: string | readonly string[] | Readonly<Record<string, string | readonly string[]>>;
  /** The public adapter that training started from: a PEFT folder. An unchanged A stays public (LoRA-FA). */
  readonly baseAdapter?: string;
  /**
   * Recover adapters of this rank that were merged into the model; needs `base`. `tolerance`: relative error allowed for
   * A·B, by Frobenius norm (default: 1e-4).
   */
  readonly mergedLora?: { readonly rank: number; readonly tolerance?: number };
  /** Patterns of weight names; `*` matches any characters. Matching weights are private to the server. */
  readonly private?: readonly string[];
  /** Patterns of weights that are public although a broader pattern of `private` matches them, or no base has them. */
  readonly public?: readonly string[];
  /** Holder of each input, by name. Default: the client. */
  readonly inputs?: Readonly<Record<string, Owner>>;
  /**
   * The readers of each output: `{ logits: "client" }`, or `"both"`; `*` in a name matches any characters. Other outputs
   * are not computed, and no other value is opened.
   */
  readonly reveal?: Readonly<Record<string, Reader | "both" | readonly Reader[]>>;
  /** What the client receives from a language model: all logits (default), or only the most likely token. */
  readonly head?: "logits" | "token";
  /** Sizes of symbolic dimensions, by name, in elements. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Integer inputs that are a constant in every query: `{ attention_mask: 1 }` for text without padding. */
  readonly fixed?: Readonly<Record<string, number>>;
  /** For generation: also compile these shorter prompt lengths, in tokens, so that a short prompt costs less. */
  readonly buckets?: readonly number[];
  /** Two parties with a dealer of randomness (default), or three parties of which no two collude. */
  readonly setting?: "2pc-dealer" | "3pc";
  /** `fast` (default) truncates products locally, sometimes off by one ulp; `exact` rounds as the plaintext does. */
  readonly truncation?: "fast" | "exact";
  /** Numerical preset: `marill` (default), or the approximations of another system: `crypten`, … (docs/presets.md). */
  readonly preset?: string;
  /** Network to choose protocols for. Default: `wan`. */
  readonly link?: LinkOption;
  /** Metric to minimize on the link: time (default), time after the input is known, or total bytes. */
  readonly objective?: "time" | "online" | "total";
  /** Public inputs to measure value ranges on: a folder of .npz or .pb files, or prompts in a .jsonl file. */
  readonly calibrate?: string;
  /** Measured magnitudes are multiplied by this factor, 1 to 1024. Default: 4; 64 without a base and an adapter. */
  readonly margin?: number;
  /** File of public bounds by value, as `writeRanges` of `compile` writes it: they come before measured ones. */
  readonly ranges?: string;
  /**
   * Measure ranges with the private weights, and publish each bound as a power of two. The manifest lists what becomes
   * public.
   */
  readonly publishRanges?: boolean;
  /**
   * Divide each feature of an input by the power of two above its size on the calibration inputs, and multiply the
   * private weights that it meets by that: for features of very different sizes. The powers are public.
   */
  readonly scaleFeatures?: boolean;
  /**
   * Have the parties check the ranges of values inside the network, at these layers (`["all"]`, or names of nodes; `*`
   * matches any characters). The client learns one bit: whether any value left its range.
   */
  readonly guard?: readonly string[];
  /**
   * How near the answer comes to the model's, against traffic. Default: balanced, within 2^−9 of the largest output.
   * (docs/precision.md)
   */
  readonly quality?: "fast" | "balanced" | "precise";
  /** Fractional bits by kind, 1 to 24, over those of the quality. */
  readonly precision?: GivenPrecision;
  /** Name of the program. Default: the file name of the model. */
  readonly name?: string;
}

/** Default relative error of `mergedLora`. */
export const defaultTolerance = 1e-4;

function readers(to: Reader | "both" | readonly Reader[]): readonly Reader[] {
  if (to === "both") return ["client", "server"];
  return typeof to === "string" ? [to] : to;
}

const reader = oneOf(["client", "server", "shared"]);
const bits = integer(1, 24);

/** What `resolveOptions` checks by itself, all problems at once, is any text here. */
export const modelFields: Fields<ModelOptions> = {
  model: required(text),
  base: text,
  adapter: either(
    [isText, text],
    [Array.isArray, listOf(text)],
    [() => true, recordOf(either([isText, text], [() => true, listOf(text)]))],
  ),
  baseAdapter: text,
  mergedLora: objectOf<NonNullable<ModelOptions["mergedLora"]>>({
    rank: required(integer(1, 65536)),
    tolerance: number("a number from 0 to below 1", (value) => value >= 0 && value < 1),
  }),
  private: listOf(text),
  public: listOf(text),
  inputs: recordOf(
    either(
      [isText, oneOf(["client", "server", "public", "shared"])],
      [() => true, objectOf<{ from: string }>({ from: required(text) })],
    ),
  ),
  reveal: recordOf(
    either([Array.isArray, listOf(reader)], [() => true, oneOf(["client", "server", "both", "shared"])]),
  ),
  head: text,
  dims: recordOf(integer(0)),
  fixed: recordOf(integer(Number.MIN_SAFE_INTEGER)),
  buckets: listOf(integer(1)),
  setting: text,
  truncation: text,
  preset: text,
  link,
  objective: text,
  calibrate: text,
  ranges: text,
  publishRanges: flag,
  scaleFeatures: flag,
  guard: listOf(text),
  margin: number("a number", () => true),
  quality: text,
  precision: objectOf<GivenPrecision>({
    activation: bits,
    weight: bits,
    query: bits,
    value: bits,
    probability: bits,
  }),
  name: text,
};

/** The options that the compiler takes, with every default. @throws DiagnosticError with all problems of the options. */
export const resolveModelOptions = (options: ModelOptions): ResolvedOptions =>
  requireOptions(compileOptionsOf(options));

/** A name may become a part of a file's name. */
const adapterNamePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

const foldersOf = (folders: string | readonly string[]): readonly string[] =>
  typeof folders === "string" ? [folders] : folders;

/** One adapter, or a list of choices of which the first has the shapes. */
function adaptersOf(adapter: ModelOptions["adapter"]): Pick<WeightOptions, "adapter" | "adapters"> {
  if (adapter === undefined) return {};
  if (typeof adapter === "string") return { adapter };
  const choices = isList(adapter)
    ? [{ name: "", folders: adapter }]
    : Object.entries(adapter).map(([name, folders]) => ({ name, folders: foldersOf(folders) }));
  const wrong = isList(adapter) ? undefined : choices.find(({ name }) => !adapterNamePattern.test(name));
  if (wrong) usage(`--adapter takes names of letters, digits, dashes, dots and underscores, found "${wrong.name}"`);
  const [first] = choices;
  if (!first || choices.some(({ folders }) => folders.length === 0))
    return usage("--adapter takes at least one folder");
  return { adapter: first.folders[0]!, adapters: choices };
}

const isList = (adapter: NonNullable<ModelOptions["adapter"]>): adapter is readonly string[] => Array.isArray(adapter);

/** Labels of inputs, and the builds that leave some of them in shares. */
function ownersOf(inputs: ModelOptions["inputs"]): Pick<InterfaceOptions, "owners" | "makers"> {
  if (!inputs) return {};
  const all = Object.entries(inputs);
  const makers = all.flatMap(([name, owner]) => (typeof owner === "string" ? [] : [[name, owner.from] as const]));
  const owners = all.map(([name, owner]) => [name, typeof owner === "string" ? owner : "shared"] as const);
  return { owners: Object.fromEntries(owners), ...(makers.length > 0 && { makers: Object.fromEntries(makers) }) };
}

/** The flat options of the command line and the API, nested by subject. */
export function compileOptionsOf({ model, name, ...flat }: ModelOptions): CompileOptions {
  const { base, adapter: adapters, baseAdapter, mergedLora, private: names, public: open } = flat;
  const { inputs, reveal = {}, head, dims, fixed, buckets } = flat;
  const { setting, link, objective, truncation, preset, quality, precision, guard } = flat;
  const { calibrate, margin, ranges, publishRanges, scaleFeatures } = flat;
  const reveals = Object.entries(reveal).flatMap(([output, to]) => readers(to).map((each) => ({ output, to: each })));
  const lora = mergedLora && { rank: mergedLora.rank, tolerance: mergedLora.tolerance ?? defaultTolerance };
  return {
    model,
    ...given({ name }),
    weights: given({ base, ...adaptersOf(adapters), baseAdapter, mergedLora: lora, private: names, public: open }),
    interface: given({ ...ownersOf(inputs), reveal: reveals, head, dims, constants: fixed, buckets }),
    target: given({
      setting,
      link: link === undefined ? undefined : linkOf(link),
      objective,
      truncation,
      preset,
      quality,
      precision,
      guard,
    }),
    calibration: given({ samples: calibrate, margin, ranges, publish: publishRanges, scaleFeatures }),
  };
}

/** Whether fractional bits are given by hand. */
export const hasPrecision = ({ precision = {} }: Pick<ModelOptions, "precision">): boolean =>
  Object.values(precision).some((bits) => bits !== undefined);
