import { createHash } from "node:crypto";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { decodeModel, wireLimits } from "../onnx/format/index.ts";
import { readWhole } from "../tensors/files/index.ts";
import { combine } from "./combine.ts";
import { type Frozen, freeze } from "./freeze.ts";
import { readGraph } from "./graph.ts";
import { changeHeads, type HeadChange } from "./heads.ts";
import { addLora, type LoraLayer } from "./lora.ts";
import { type StudentManifest, studentManifest } from "./manifest.ts";
import type { RewriteOptions } from "./options.ts";
import { applyPatch, type Patch } from "./patch.ts";
import { findSites } from "./sites.ts";

export interface Student {
  readonly model: Uint8Array;
  /** Contents of the data file, in order; empty: there is none. */
  readonly data: readonly (() => Uint8Array)[];
  readonly manifest: StudentManifest;
}

/**
 * A cheaper student of a public model, to be tuned and compiled: the same graph and weight names, but for what the
 * options ask. It must be the public model: which heads are alike is read off its weights, and told to everybody.
 */
export function rewriteModel(options: RewriteOptions): Student {
  const bytes = readWhole(options.model, wireLimits.bytes);
  const model = decodeModel(bytes, options.model);
  const graph = readGraph(model, new Map(Object.entries(options.dims ?? {})));
  const frozen: Frozen = freeze(graph, options.freeze ?? 0);
  const problems: Diagnostic[] = [];
  const patches: Patch[] = [];
  let changes: readonly HeadChange[] = [];
  if (options.heads) {
    const sites = findSites(graph).filter(({ layer }) => layer === undefined || layer >= frozen.layers);
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
  const patch = combine(patches);
  const { model: student, data } = applyPatch(bytes, model, patch, options.dataFile);
  const source = createHash("sha256").update(bytes).digest("hex");
  return {
    model: student,
    data,
    manifest: studentManifest({ graph, options, source, patch, frozen, changes, layers }),
  };
}
