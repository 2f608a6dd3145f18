import { createHash } from "node:crypto";
import { throwIfAny } from "../../ir/diagnostic.ts";
import { decodeModel, scanLimits } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { addLora } from "./add-lora.ts";
import { type AttentionSite, findAttentionSites } from "./attention-sites.ts";
import { changeHeads } from "./change-heads.ts";
import { combinePatches } from "./combine-patches.ts";
import { type FrozenLayers, freezeLayers } from "./freeze.ts";
import { type ModelGraph, readModelGraph } from "./model-graph.ts";
import { applyPatch } from "./model-patch.ts";
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
  const heads = options.heads && changeHeads(graph, unfrozenSites(graph, frozen), options.heads);
  const headPatches = heads?.patches ?? [];
  const resized = new Map(headPatches.flatMap((patch) => [...patch.tensors]));
  const lora = options.lora && addLora(graph, frozen, options.lora, resized);
  throwIfAny([...(heads?.problems ?? []), ...(lora?.problems ?? [])]);
  const patch = combinePatches([...headPatches, ...(lora ? [lora.patch] : [])]);
  const { model: student, data } = applyPatch(bytes, model, patch, options.dataFile);
  const source = createHash("sha256").update(bytes).digest("hex");
  return {
    model: student,
    data,
    manifest: studentManifest({
      graph,
      options,
      source,
      patch,
      frozen,
      changes: heads?.changes ?? [],
      layers: lora?.layers ?? [],
    }),
  };
}

const unfrozenSites = (graph: ModelGraph, frozen: FrozenLayers): readonly AttentionSite[] =>
  findAttentionSites(graph).filter(({ layer }) => layer === undefined || layer >= frozen.count);
