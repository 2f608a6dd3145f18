import type { ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";

/** Elements of a feature from which on their distance says how far others are apart. */
const fewest = 4;
/** A distance that a few samples make smaller by chance counts as this part of their magnitude. */
const leastPart = 2 ** -8;

/** Collects how far the elements of the smallest feature of each value are apart. */
export interface FeatureSizes {
  readonly add: (id: ValueId, value: Tensor) => void;
  readonly sizes: () => ReadonlyMap<ValueId, number>;
}

/** Features are indices of one axis, and nothing says of which: that of the smallest feature counts. */
export function createFeatureSizes(): FeatureSizes {
  const found = new Map<ValueId, { readonly axes: readonly Extremes[]; runs: number }>();
  const add = (id: ValueId, { shape, data }: Tensor): void => {
    const known = found.get(id) ?? { axes: shape.map(createExtremes), runs: 0 };
    known.runs++;
    found.set(id, known);
    known.axes.forEach(({ lo, hi }, axis) => {
      const inner = shape.slice(axis + 1).reduce((all, n) => all * n, 1);
      for (let k = 0; k < data.length; k++) {
        const at = Math.floor(k / inner) % lo.length;
        if (!Number.isFinite(data[k])) continue;
        lo[at] = Math.min(lo[at]!, data[k]!);
        hi[at] = Math.max(hi[at]!, data[k]!);
      }
    });
  };
  const sizes = (): ReadonlyMap<ValueId, number> =>
    new Map(
      [...found].flatMap(([id, { axes, runs }]) => {
        const count = axes.reduce((all, { lo }) => all * lo.length, runs);
        const all = axes.flatMap(({ lo, hi }) =>
          [...lo].map((least, k) => sizeOf({ lo: least, hi: hi[k]! }, count / lo.length)),
        );
        const least = all.filter((size) => size > 0).reduce((a, b) => Math.min(a, b), Infinity);
        return Number.isFinite(least) ? [[id, least] as const] : [];
      }),
    );
  return { add, sizes };
}

interface Extremes {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

const createExtremes = (count: number): Extremes => ({
  lo: new Float64Array(count).fill(Infinity),
  hi: new Float64Array(count).fill(-Infinity),
});

/** 0 where nothing was seen, or nothing but 0. */
function sizeOf({ lo, hi }: Interval, count: number): number {
  if (lo > hi) return 0;
  const magnitude = Math.max(Math.abs(lo), Math.abs(hi));
  return hi > lo && count >= fewest ? Math.max(hi - lo, leastPart * magnitude) : magnitude;
}
