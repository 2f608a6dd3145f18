import type { ModelPatch } from "./model-patch.ts";

/**
 * Combines patches. Each node or tensor may be in one of them only, except that several may insert nodes beside one.
 */
export function combinePatches(patches: readonly ModelPatch[]): ModelPatch {
  const union = <K, V>(pick: (patch: ModelPatch) => ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
    new Map(patches.flatMap((patch) => [...pick(patch)]));
  const lists = <K, V>(pick: (patch: ModelPatch) => ReadonlyMap<K, readonly V[]>): ReadonlyMap<K, readonly V[]> => {
    const all = new Map<K, readonly V[]>();
    for (const [key, list] of patches.flatMap((patch) => [...pick(patch)]))
      all.set(key, [...(all.get(key) ?? []), ...list]);
    return all;
  };
  return {
    before: lists(({ before }) => before),
    after: lists(({ after }) => after),
    inputs: union(({ inputs }) => inputs),
    outputs: union(({ outputs }) => outputs),
    replaced: union(({ replaced }) => replaced),
    tensors: union(({ tensors }) => tensors),
    reshaped: new Set(patches.flatMap(({ reshaped }) => [...reshaped])),
  };
}
