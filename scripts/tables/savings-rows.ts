import type {
  AdapterOwnership,
  ArchitectureName,
  ArchitectureOptions,
  ArchitectureOwnership,
  EstimateOptions,
} from "../../compiler/estimate/index.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { type LinkProfile, linkProfiles } from "../../runtime/transport/index.ts";
import { countTraffic, type QueryTraffic } from "./count-traffic.ts";

/** What is done to a model before it is served. */
export interface Technique {
  readonly name: string;
  /** Fraction of the layers that is frozen. */
  readonly frozen?: number;
  /** Adapters on every product; without them all weights of the layers are private. */
  readonly adapted?: true;
  /** The adapters' A stays public. */
  readonly publicA?: true;
  /** Heads that share a softmax. */
  readonly merge?: number;
}

/** The others are compared with this. */
export const baseline: Technique = { name: "every layer private" };

/** Each alone and together, in the order of the tables. */
export const techniques: readonly Technique[] = [
  baseline,
  { name: "LF 0.5", frozen: 0.5 },
  { name: "LoRA", adapted: true },
  { name: "merging 2", merge: 2 },
  { name: "merging 4", merge: 4 },
  { name: "LF 0.5 + LoRA", frozen: 0.5, adapted: true },
  { name: "LF 0.5 + merging 2", frozen: 0.5, merge: 2 },
  { name: "LF 0.5 + merging 4", frozen: 0.5, merge: 4 },
  { name: "all: LF 0.5 + LoRA + merging 4", frozen: 0.5, adapted: true, merge: 4 },
  { name: "all, A public", frozen: 0.5, adapted: true, publicA: true, merge: 4 },
];

export const techniqueOwnership = (
  { frozen = 0, adapted, publicA }: Technique,
  rank: number,
): ArchitectureOwnership => {
  const adapters: AdapterOwnership = { rank, targets: "every product", ...(publicA && { publicA }) };
  return { frozenFraction: frozen, privateEmbedding: false, ...(adapted && { adapters }) };
};

/** Whose protocols compute the model. */
export type System = "ours" | "crypten";
export const systems: readonly System[] = ["ours", "crypten"];

/** CrypTen keeps no masked values: keys and values of earlier positions stay shared, and every product opens them again. */
export const systemOptions = (system: System): Pick<EstimateOptions, "preset" | "cacheForm"> =>
  system === "ours" ? {} : { preset: presets.get(system)!, cacheForm: "shares" };

/** The links of the tables. Protocols are chosen for each. */
export const tableLinks: readonly LinkProfile[] = [linkProfiles.lan, linkProfiles.wan];

/** A query of the model, with its title in the tables. */
export interface Workload extends Pick<ArchitectureOptions, "phase" | "sequenceLength" | "contextLength"> {
  readonly title: string;
}

export const workloads: readonly Workload[] = [
  { title: "prefill 128", phase: "prefill", sequenceLength: 128 },
  { title: "prefill 512", phase: "prefill", sequenceLength: 512 },
  { title: "prefill 2048", phase: "prefill", sequenceLength: 2048 },
  { title: "decode at 256", phase: "decode", sequenceLength: 1, contextLength: 256 },
];

/** A shape, and the rank of its adapters. */
export interface SavingsSubject {
  readonly architecture: ArchitectureName;
  readonly rank: number;
}

/** The shape of open_llama_3b_v2. */
export const countedSubject: SavingsSubject = { architecture: "open-llama-3b", rank: 64 };

export function rowTraffic(
  { architecture, rank }: SavingsSubject,
  technique: Technique,
  { phase, sequenceLength, contextLength }: Workload,
  system: System,
  link: LinkProfile,
): QueryTraffic {
  const { merge } = technique;
  return countTraffic(architecture, {
    phase,
    sequenceLength,
    ...(contextLength !== undefined && { contextLength }),
    ownership: techniqueOwnership(technique, rank),
    ...(merge !== undefined && { mergedHeads: merge }),
    ...systemOptions(system),
    select: { setting: "2pc-dealer", link, objective: "time" },
  });
}
