import type { Patch } from "./patch.ts";

/** Several patches as one. They must not meet in a node or tensor, but for nodes put beside one. */
export function combine(patches: readonly Patch[]): Patch {
  const union = <K, V>(pick: (patch: Patch) => ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
    new Map(patches.flatMap((patch) => [...pick(patch)]));
  const lists = <K, V>(pick: (patch: Patch) => ReadonlyMap<K, readonly V[]>): ReadonlyMap<K, readonly V[]> => {
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
