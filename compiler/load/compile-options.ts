import type { Label } from "../../ir/label.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Reveal } from "../../passes/1-split/index.ts";
import type { HeadPolicy } from "../../passes/2-rewrite/index.ts";
import type { Preset } from "../../passes/3-approximate/index.ts";
import type { Quality } from "../../passes/4-quantize/index.ts";
import type { GuardOptions, Objective } from "../../passes/5-select/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { AdapterChoice, MergedLoraOptions } from "../adapters/index.ts";

/** The user's options, by subject. What is absent gets its default in `resolveOptions`. */
export interface CompileOptions {
  /** Path of the ONNX model. */
  readonly model: string;
  /** Name of the program; default: that of the model's file. */
  readonly name?: string;
  readonly weights?: WeightOptions;
  readonly interface?: InterfaceOptions;
  readonly target?: TargetOptions;
  readonly calibration?: CalibrationOptions;
}

/** Who owns the weights. */
export interface WeightOptions {
  /** Public base: ONNX file, safetensors file, or folder. */
  readonly base?: string;
  /** A private adapter: a PEFT folder, or an .onnx_adapter file whose parameters are inputs of the model. */
  readonly adapter?: string;
  /**
   * Several PEFT adapters: one choice without a name is the sum of its folders; of named ones the server chooses one for
   * each session. `adapter` is then the first folder.
   */
  readonly adapters?: readonly AdapterChoice[];
  /** Folder of the public adapter that the private one started from: an equal A is public. */
  readonly baseAdapter?: string;
  /**
   * Adapters of this rank are merged into the model: its changes of the base's matrices are factorized into A and B.
   */
  readonly mergedLora?: MergedLoraOptions;
  /** Patterns of private weight names. */
  readonly private?: readonly string[];
  /** Patterns of weights that are public although a broader pattern of `private` matches them, or no base has them. */
  readonly public?: readonly string[];
}

/** Inputs and outputs. */
export interface InterfaceOptions {
  /** Owner of each input; default: the client. */
  readonly owners?: Readonly<Record<string, Label>>;
  /** Builds that leave inputs in shares, as `path` or `path#output`: their manifests bound these inputs. */
  readonly makers?: Readonly<Record<string, string>>;
  readonly reveal?: readonly Reveal[];
  readonly head?: HeadPolicy;
  /** Sizes of symbolic dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Integer inputs fixed to a constant for all queries: they are public, and no query supplies them. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Lengths of shorter windows beside the model's own, for generation from shorter prompts. */
  readonly buckets?: readonly number[];
}

/** The setting, the network and the arithmetic that the program is compiled for. */
export interface TargetOptions {
  readonly setting?: string;
  /** The link that protocols are chosen for. */
  readonly link?: LinkProfile;
  /** The metric to minimize on it: time, online or total. */
  readonly objective?: string;
  readonly truncation?: string;
  /** marill, or the name of a published system. */
  readonly preset?: string;
  /** Nearness of the answer against traffic: fast, balanced or precise. */
  readonly quality?: string;
  /** Fractional bits by hand, over those of the quality or preset. */
  readonly precision?: Partial<Precision>;
  /** Layers whose ranges the parties check, by node or value; `*` matches any characters. */
  readonly guard?: readonly string[];
}

/** How value ranges are measured. */
export interface CalibrationOptions {
  /** Public inputs: a folder of .npz or .pb, or a .jsonl of prompts. */
  readonly samples?: string;
  /** Measured magnitudes are multiplied by this factor. */
  readonly margin?: number;
  /** A file of public bounds: they come before measured ones. */
  readonly ranges?: string;
  /** Ranges are measured with private weights, and become public as powers of two. */
  readonly publish?: boolean;
  /** Features of the client are brought to one size by powers of two, and the weights that they meet the other way. */
  readonly scaleFeatures?: boolean;
}

/** The options with every default. */
export interface ResolvedOptions {
  readonly model: string;
  readonly name?: string;
  readonly weights: WeightOptions;
  readonly interface: ResolvedInterface;
  readonly target: ResolvedTarget;
  readonly calibration: ResolvedCalibration;
}

export interface ResolvedInterface extends Pick<InterfaceOptions, "head"> {
  readonly owners: ReadonlyMap<string, Label>;
  readonly makers: ReadonlyMap<string, string>;
  readonly reveal: readonly Reveal[];
  readonly dims: ReadonlyMap<string, number>;
  readonly constants: ReadonlyMap<string, number>;
  readonly buckets: readonly number[];
}

export interface ResolvedTarget {
  readonly setting: "2pc-dealer" | "3pc";
  readonly link: LinkProfile;
  readonly objective: Objective;
  readonly truncation: "fast" | "exact";
  /** Undefined: our own arithmetic. */
  readonly preset: Preset | undefined;
  readonly quality: Quality;
  /** Those of the preset or quality with the user's changes, best first: the compiler takes the first that fits. */
  readonly precisions: readonly Precision[];
  /** The one that it took; before that, the first. */
  readonly precision: Precision;
  readonly guard: GuardOptions | undefined;
}

/** How much wider than measured the range of a value is. */
export interface RangeRoom {
  /** Factor on measured magnitudes. */
  readonly margin: number;
  /** The same for inputs of the secure part. */
  readonly inputMargin: number;
  /** Least magnitude of a range that was measured. */
  readonly floor: number;
}

export interface ResolvedCalibration extends Omit<CalibrationOptions, "margin">, RangeRoom {
  /** The user chose the margin. */
  readonly chosen?: true;
}
