import type { Adapters, ShapeCount, ShapeName, ShapeOptions, ShapeOwnership } from "../../compiler/estimate/index.ts";
import { countTraffic, type ShapeTraffic } from "../../compiler/estimate/index.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { type LinkProfile, links } from "../../runtime/transport/index.ts";

/** What is done to a model before it is served: each alone, and together. */
export interface Technique {
  readonly name: string;
  /** Share of the layers that is frozen. */
  readonly frozen?: number;
  /** Adapters on every product; without them the layers are private whole. */
  readonly adapted?: true;
  /** Adapters whose A stays public. */
  readonly publicA?: true;
  /** Heads that share a softmax. */
  readonly merge?: number;
}

/** Every layer private: what the others are measured against. */
export const baseline: Technique = { name: "every layer private" };

/** In the order of the tables. */
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

export const ownershipOf = ({ frozen = 0, adapted, publicA }: Technique, rank: number): ShapeOwnership => {
  const adapters: Adapters = { rank, on: "every product", ...(publicA && { publicA }) };
  return { frozen, embedding: false, ...(adapted && { adapters }) };
};

/** Whose protocols compute it. */
export type System = "ours" | "crypten";
export const systems: readonly System[] = ["ours", "crypten"];

/** CrypTen has no wires: keys and values of the places before stay shared, and are opened for every product anew. */
export const systemOf = (system: System): Pick<ShapeCount, "preset" | "kept"> =>
  system === "ours" ? {} : { preset: presets.get(system)!, kept: "shares" };

/** The links of tables, protocols chosen for each. */
export const tableLinks: readonly LinkProfile[] = [links.lan, links.wan];

/** What is asked of the model, and how it is called. */
export interface Question extends Pick<ShapeOptions, "phase" | "seq" | "context"> {
  readonly title: string;
}

export const questions: readonly Question[] = [
  { title: "prefill 128", phase: "prefill", seq: 128 },
  { title: "prefill 512", phase: "prefill", seq: 512 },
  { title: "prefill 2048", phase: "prefill", seq: 2048 },
  { title: "decode at 256", phase: "decode", seq: 1, context: 256 },
];

/** A shape, and the rank of its adapters. */
export interface Subject {
  readonly shape: ShapeName;
  readonly rank: number;
}

/** The shape of open_llama_3b_v2, and the rank of the adapters that it is counted with. */
export const counted: Subject = { shape: "open-llama-3b", rank: 64 };

export function trafficOfRow(
  { shape, rank }: Subject,
  technique: Technique,
  { phase, seq, context }: Question,
  system: System,
  link: LinkProfile,
): ShapeTraffic {
  const { merge } = technique;
  return countTraffic(shape, {
    phase,
    seq,
    ...(context !== undefined && { context }),
    private: ownershipOf(technique, rank),
    ...(merge !== undefined && { merge }),
    ...systemOf(system),
    select: { setting: "2pc-dealer", link, objective: "time" },
  });
}
