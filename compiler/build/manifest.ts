import type { Label } from "../../ir/label.ts";
import type { Inexact, Objective } from "../../passes/5-select/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { ConstantDigest } from "../onnx/weights/index.ts";
import type { NamedBytes, PartyName } from "./party-names.ts";

/** What protocols were chosen for: the least of `objective` on this link. */
export interface OptimizationTarget {
  readonly link: LinkProfile;
  readonly objective: Objective;
}

/** What the manifest says of a program of some places, beside what holds of the window's too. */
export interface ChunkManifest {
  readonly programHash: string;
  readonly artefactsHash: string;
  readonly places: number;
  readonly cuts: readonly (Manifest["cuts"][number] & { readonly axis: number })[];
  readonly reveals: readonly (Manifest["reveals"][number] & { readonly axis: number })[];
  /** Wires that stay opened under their masks, of which nothing is revealed; shape and ring of one query's. */
  readonly kept: readonly { readonly name: string; readonly shape: readonly number[]; readonly width: number }[];
  readonly predicted: {
    readonly offline: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly online: { readonly rounds: number; readonly bytes: NamedBytes };
  };
}

/** The reviewed contract of a build directory; everything in it is public. */
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
  /** Operators whose protocols may differ from the interpreter's result, by kind; with exact truncation: those that have no exact one. */
  readonly inexact: readonly Inexact[];
  /** SHA-256 of program.mir. */
  readonly programHash: string;
  /** SHA-256 over the public tensors' hashes and the client's ONNX files. */
  readonly artefactsHash: string;
  /** Every weight of the model: who knows it and why; SHA-256 of those that are public. */
  readonly weights: readonly {
    readonly name: string;
    readonly label: Label;
    readonly why: string;
    readonly shape: readonly number[];
    readonly sha256?: string;
  }[];
  /** Tables of the graph that are nobody's weights, so public: positions, masks. */
  readonly constants: readonly ConstantDigest[];
  /** Inputs of the model and who holds them. */
  readonly inputs: readonly {
    readonly name: string;
    readonly label: Label;
    readonly shape: readonly number[];
    readonly type: string;
  }[];
  /**
   * Tensors that the client computes in the clear and shares. `oneHot`: shared as one-hot rows of that many columns.
   * `least`: a mask, in which less is raised to this.
   */
  readonly cuts: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly shape: readonly number[];
    readonly oneHot?: number;
    /** Indices into a table of so many rows. */
    readonly rows?: number;
    readonly least?: number;
  }[];
  /** What the client computes in the clear after the secure part: tensor `output` from the revealed tensor `from`. */
  readonly tails: readonly { readonly value: string; readonly from: string; readonly output: string }[];
  /** Outputs of the model that the client computes alone. */
  readonly clientOutputs: readonly string[];
  /** All that is ever opened, and to whom. */
  readonly reveals: readonly {
    readonly value: string;
    readonly tensor: string;
    readonly to: string;
    readonly shape: readonly number[];
  }[];
  readonly rings: readonly { readonly width: number; readonly values: number }[];
  readonly calibration: { readonly source: string; readonly samples: number; readonly weights: string };
  readonly predicted: {
    readonly setup: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly offline: { readonly rounds: number; readonly bytes: NamedBytes };
    readonly online: { readonly rounds: number; readonly bytes: NamedBytes };
  };
  /**
   * The program for one new place (decode.mir), for a causal model of text: it goes on from what the program above keeps
   * of the places before. Weights, owners, tails and all else are the same. `axis`: along which a tensor has the places;
   * `places`: those of the window, most that text can have; `predicted`: at the last place, which costs most.
   */
  readonly decode?: ChunkManifest & {
    /**
     * The client's own layers place by place (public-step.onnx, head-step.onnx): of their keys and values it keeps those
     * of the places before, in the clear and for itself. Absent: it computes them over the whole window for every token.
     */
    readonly clear?: {
      /** The input that says which places the rows are of. */
      readonly places: string;
      /** Inputs with the earlier rows, outputs with the new ones behind them; shape of one row. */
      readonly kept: readonly { readonly past: string; readonly present: string; readonly shape: readonly number[] }[];
    };
    /** Programs of shorter windows (window-<places>.mir), for texts that begin with less: they keep the same. */
    readonly windows?: readonly ChunkManifest[];
  };
}
