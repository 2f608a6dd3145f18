import type { Label } from "../../ir/label.ts";
import type { Inexact, Objective } from "../../passes/5-select/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { ConstantDigest } from "../onnx/weights/index.ts";
import type { NamedBytes, PartyName } from "./party-names.ts";

/** The compiler chose the protocols that minimize `objective` on this link. */
export interface OptimizationTarget {
  readonly link: LinkProfile;
  readonly objective: Objective;
}

/**
 * Range checks that the parties compute, and the one bit that the client learns of them: 1 if a value of these layers
 * left its bounds, so that the answer cannot be trusted.
 */
export interface GuardManifest {
  /** The output of the program with the bit. */
  readonly value: string;
  /** A value up to 2^headroom times its bounds is told for certain. */
  readonly headroom: number;
  /** Number of elements that are checked in a query. */
  readonly elements: number;
  readonly layers: readonly string[];
}

/** A value that passes between programs in shares. */
export interface SharedValueManifest {
  readonly value: string;
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly width: number;
  readonly scale: number;
  readonly range: readonly [lo: number, hi: number];
}

/** What the manifest says of a program for a chunk of positions, where it differs from the prefill program. */
export interface ChunkManifest {
  readonly programHash: string;
  readonly artefactsHash: string;
  /** The context length; of a prefill bucket, its sequence length. */
  readonly places: number;
  readonly cuts: readonly (Manifest["cuts"][number] & { readonly axis: number })[];
  readonly reveals: readonly (Manifest["reveals"][number] & { readonly axis: number })[];
  readonly guard?: GuardManifest;
  /** Masked values that stay open between queries, and reveal nothing; shape and ring width of those of one query. */
  readonly kept: readonly { readonly name: string; readonly shape: readonly number[]; readonly width: number }[];
  readonly predicted: {
    readonly offline: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly online: { readonly rounds: number; readonly bytes: NamedBytes };
  };
}

/** The contract of a build directory, for reviewers; everything in it is public. */
export interface Manifest {
  readonly schema: 1;
  readonly compiler: string;
  readonly name: string;
  readonly setting: string;
  readonly truncation: "fast" | "exact";
  readonly numerics: string;
  readonly chosenFor: OptimizationTarget;
  readonly security: string;
  readonly caveats: readonly string[];
  readonly roles: Readonly<Partial<Record<PartyName, string>>>;
  /**
   * Operators whose protocols may differ from the interpreter's result, by kind. With exact truncation: operators that
   * have no exact protocol.
   */
  readonly inexact: readonly Inexact[];
  /** SHA-256 of program.mir. */
  readonly programHash: string;
  /** SHA-256 over the digests of the program, of the client's weight file and of its ONNX files. */
  readonly artefactsHash: string;
  /** The integers that programs use for public weights, by their names in the weight files, and their SHA-256 there. */
  readonly integers: readonly { readonly tensor: string; readonly sha256: string }[];
  /** Every weight of the model: who knows it and why, and the SHA-256 of public ones. */
  readonly weights: readonly {
    readonly name: string;
    readonly label: Label;
    readonly why: string;
    readonly shape: readonly number[];
    readonly sha256?: string;
  }[];
  /** Constants of the graph that nobody owns and that are therefore public: positions, masks. */
  readonly constants: readonly ConstantDigest[];
  /** Inputs of the model, and who holds them. `gaps`: NaN stands for a missing element, which the model tells apart. */
  readonly inputs: readonly {
    readonly name: string;
    readonly label: Label;
    readonly shape: readonly number[];
    readonly type: string;
    readonly gaps?: true;
  }[];
  /**
   * Tensors that the client computes in the clear and shares. `oneHot`: it shares one-hot rows of that many columns.
   * `least`: the tensor is a mask, whose values are raised to at least this. `functions`: it applies these to each element. `range`: bounds of what it shares, which the
   * rings were planned for: it refuses a value beyond them before it sends anything.
   */
  readonly cuts: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly shape: readonly number[];
    readonly oneHot?: number;
    /** The tensor holds indices into a table of this many rows. */
    readonly rows?: number;
    readonly least?: number;
    readonly functions?: readonly string[];
    readonly range?: readonly [lo: number, hi: number];
  }[];
  /** The same for tensors that the server computes in the clear from its own inputs; absent where it has none. */
  readonly serverCuts?: Manifest["cuts"];
  /**
   * Inputs of which client and server each supply a residue that another program left them, in a ring of `width` bits
   * with `scale` fractional bits; `range`: public bounds of the value. Absent where there are none.
   */
  readonly sharedInputs?: readonly SharedValueManifest[];
  /** After the secure part, the client computes tensor `output` in the clear from the revealed tensor `from`. */
  readonly tails: readonly { readonly value: string; readonly from: string; readonly output: string }[];
  /** Outputs of the model that the client computes alone. */
  readonly clientOutputs: readonly string[];
  /** Everything that is ever revealed, and to whom, beside the bit of `guard`. */
  readonly reveals: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly to: string;
    readonly shape: readonly number[];
    /** Of an output of integers or booleans; absent for reals. */
    readonly type?: string;
  }[];
  /**
   * How far an output of reals, revealed or shared, may be from the model in real numbers, to first order, and its
   * largest magnitude: from scales, protocols, public bounds, public inputs, and public weights in place of private ones.
   * No number of it follows from a private weight, unless the provider publishes it as an exponent: `published`; `largest`
   * is then the public bound of the tensor (docs/precision.md). Absent where none was computed, and for a preset, whose
   * approximations would be missing in it.
   */
  readonly errors?: readonly {
    readonly tensor: string;
    readonly declared: number;
    readonly largest: number;
    readonly published?: true;
  }[];
  /**
   * Operators that decide: where their operands are at most `distance` apart, or from an integer, errors may lead to
   * another decision, and each output may then differ by more than its error, by up to `differs`. Absent where there are
   * none: comparisons of exact numbers, and those behind which the model is continuous, are not among them.
   */
  readonly decisions?: readonly {
    /** The result of the operator in program.mir. */
    readonly value: string;
    readonly operator: string;
    /** Its node. */
    readonly at: string;
    readonly distance: number;
    readonly outputs: readonly { readonly tensor: string; readonly differs: number }[];
    readonly published?: true;
  }[];
  /** Outputs that nobody reads: each of client and server keeps its residue. Absent where there are none. */
  readonly sharedOutputs?: readonly SharedValueManifest[];
  /** Absent: a value that leaves its range inside the network gives a wrong answer in silence. */
  readonly guard?: GuardManifest;
  readonly rings: readonly { readonly width: number; readonly values: number }[];
  readonly calibration: {
    readonly source: string;
    readonly samples: number;
    readonly weights: string;
    /** Factor on measured magnitudes. */
    readonly margin: number;
    /** File of public bounds that come before measured ones (--ranges). */
    readonly ranges?: string;
    /**
     * What the provider publishes of its private weights (--publish-ranges): each integer is the exponent of a bound, a
     * power of two. `bits`: of all integers together.
     */
    readonly published?: {
      readonly integers: number;
      readonly bits: number;
      readonly bounds: readonly { readonly value: string; readonly bound: string; readonly exponent: number }[];
    };
    /**
     * Probability that a query leaves a bound, by an extreme-value fit to so many runs with public weights (absent for
     * fewer than eight), and the node that contributes most.
     */
    readonly wrap?: { readonly runs: number; readonly probability?: number; readonly at?: string };
  };
  readonly predicted: {
    readonly setup: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly offline: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly online: { readonly rounds: number; readonly bytes: NamedBytes };
  };
  /**
   * The decode program (decode.mir) of a causal model of text: it computes one new position from what the program above
   * caches of earlier ones. Weights, owners, tails and all else are the same. `axis`: the position axis of a tensor.
   * `places`: the context length, the most positions that a text can have. `predicted`: at the last position, which
   * costs most.
   */
  readonly decode?: ChunkManifest & {
    /**
     * The client's own layers, position by position (public-step.onnx, head-step.onnx). The client caches their keys and
     * values in the clear, for itself. Absent: it computes them over the full context for every token.
     */
    readonly clear?: {
      /** The input with the positions of the rows. */
      readonly places: string;
      /** The input `past` has the cached rows; the output `present` appends the new ones. Shape of one row. */
      readonly kept: readonly { readonly past: string; readonly present: string; readonly shape: readonly number[] }[];
    };
    /** Prefill programs of shorter context lengths (window-<positions>.mir), for shorter prompts; they cache the same. */
    readonly windows?: readonly ChunkManifest[];
  };
}
