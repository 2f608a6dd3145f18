import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import {
  add,
  concat,
  fromIntegers,
  gather,
  intTensor,
  neg,
  type RingTensor,
  reduceSum,
  zeros,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  belowThresholds,
  type Comparison,
  comparisonOf,
  comparisonRefusal,
  comparisonVariants,
} from "../comparison/index.ts";
import {
  bitToRing,
  defineProtocol,
  entryAt,
  mapMasked,
  narrowMasked,
  publicShare,
  type Spec,
  subMasked,
} from "../kit/index.ts";
import { rowLayout, rowLengthRefusal, rowWidth } from "./row-layout.ts";

/** Pairs of columns, the smaller column first, in order. */
const columnPairs = (length: number): readonly (readonly [number, number])[] =>
  [...Array(length).keys()].flatMap((i) => [...Array(length - 1 - i).keys()].map((d) => [i, i + 1 + d] as const));

/**
 * Ranks in rows of a masked value [rows, length], as shares in a ring of `width` bits. With u_ij = 1{x_i < x_j} for i <
 * j,
 *     rank_i = Σ_{j > i} u_ij + Σ_{j < i} (1 − u_ji),
 * so that of equal elements the first is ahead. Differences of masked values are free.
 */
export function* rankRows(party: Party, x: MaskedValue, width: number, comparison?: Comparison): Steps<RingTensor> {
  const length = x.opened.shape[1]!;
  const pairs = columnPairs(length);
  const columns = (which: 0 | 1): MaskedValue =>
    mapMasked(x, (t) =>
      gather(
        t,
        pairs.map((pair) => pair[which]),
        [pairs.length],
        1,
      ),
    );
  const less = entryAt(yield* belowThresholds(party, subMasked(columns(0), columns(1)), [0], comparison), 0);
  const u = bitToRing(party, yield* maskAndOpen(party, less), width);
  // The u_ij are followed by the −u_ij; the ones in the second sum add up to i.
  const number = new Map(pairs.map(([i, j], k) => [i * length + j, k]));
  const terms = [...Array(length).keys()].flatMap((i) =>
    [...Array(length).keys()]
      .filter((j) => j !== i)
      .map((j) => (i < j ? number.get(i * length + j)! : pairs.length + number.get(j * length + i)!)),
  );
  const sums = reduceSum(gather(concat([u, neg(u)], 1), terms, [length, length - 1], 1), [2], false);
  const columnIndices = intTensor(
    [1, length],
    Float64Array.from({ length }, (_, i) => i),
  );
  return add(sums, publicShare(party, fromIntegers(columnIndices, width)));
}

/**
 * The number of elements of its row that are ahead of each element: all pairs are compared at once and counted. 2
 * rounds with digit tables; L(L − 1)/2 comparisons a row (ours: docs/protocols/ordering.md).
 */
export const pairwiseRank = defineProtocol({
  name: "pairwise.rank",
  implements: "rank",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x] }) => [rowWidth(x!)],
  refuses: (spec) =>
    spec.result.scale === 0
      ? (rowLengthRefusal(spec) ?? comparisonRefusal(rowWidth(spec.operands[0]!), comparisonOf(spec)))
      : "a rank is an integer",
  variants: ({ operands: [x] }: Spec) => comparisonVariants(rowWidth(x!)),
  *run(party, spec, x) {
    const { shape, width } = spec.result;
    const { length, toRows, fromRows } = rowLayout(shape, Number(spec.attrs.axis));
    // A single element has rank 0.
    if (length === 1) return { kind: "share", tensor: publicShare(party, zeros(shape, width)) } satisfies Share;
    const rows = mapMasked(narrowMasked(x as MaskedValue, rowWidth(spec.operands[0]!)), toRows);
    // The smallest elements are the largest of the negatives.
    const towards = spec.attrs.largest === false ? mapMasked(rows, neg) : rows;
    return {
      kind: "share",
      tensor: fromRows(yield* rankRows(party, towards, width, comparisonOf(spec))),
    } satisfies Share;
  },
});
