import { createHash } from "node:crypto";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { decodeModel, scanLimits } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { addLora, type LoraLayer } from "./add-lora.ts";
import { findAttentionSites } from "./attention-sites.ts";
import { changeHeads, type HeadChange } from "./change-heads.ts";
import { combinePatches } from "./combine-patches.ts";
import { type FrozenLayers, freezeLayers } from "./freeze.ts";
import { readModelGraph } from "./model-graph.ts";
import { applyPatch, type ModelPatch } from "./model-patch.ts";
import { type StudentManifest, studentManifest } from "./student-manifest.ts";
import type { StudentOptions } from "./student-options.ts";

export interface Student {
  readonly model: Uint8Array;
  /** Contents of the data file, in order; empty: there is none. */
  readonly data: readonly (() => Uint8Array)[];
  readonly manifest: StudentManifest;
}

/**
 * Makes a cheaper student of a public model, to be tuned and compiled: the same graph and weight names, except for what
 * the options change. The model must be public: its weights decide which heads are alike, and everybody sees the
 * result.
 */
export function makeStudent(options: StudentOptions): Student {
  const bytes = readWholeFile(options.model, scanLimits.bytes);
  const model = decodeModel(bytes, options.model);
  const graph = readModelGraph(model, new Map(Object.entries(options.dims ?? {})));
  const frozen: FrozenLayers = freezeLayers(graph, options.freeze ?? 0);
  const problems: Diagnostic[] = [];
  const patches: ModelPatch[] = [];
  let changes: readonly HeadChange[] = [];
  if (options.heads) {
    const sites = findAttentionSites(graph).filter(({ layer }) => layer === undefined || layer >= frozen.count);
    const changed = changeHeads(graph, sites, options.heads, problems);
    changes = changed.changes;
    patches.push(...changed.patches);
  }
  let layers: readonly LoraLayer[] = [];
  if (options.lora) {
    const resized = new Map(patches.flatMap((patch) => [...patch.tensors]));
    const added = addLora(graph, frozen, options.lora, resized, problems);
    layers = added.layers;
    patches.push(added.patch);
  }
  throwIfAny(problems);
  const patch = combinePatches(patches);
  const { model: student, data } = applyPatch(bytes, model, patch, options.dataFile);
  const source = createHash("sha256").update(bytes).digest("hex");
  return {
    model: student,
    data,
    manifest: studentManifest({ graph, options, source, patch, frozen, changes, layers }),
  };
}
