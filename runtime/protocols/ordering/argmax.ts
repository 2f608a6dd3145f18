import { type MaskedValue, type Party, parallel, type Share, type Steps } from "../../core/index.ts";
import { fromIntegers, intTensor, type RingTensor, reshape, sizeOf, zeros } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { type Comparison, comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import { concatMasked, defineProtocol, mapMasked, narrowMasked, publicShare, type Spec } from "../kit/index.ts";
import { appendPayload, comparePairs, type Payload, selectWinners } from "./pairwise-comparison.ts";
import { asGroups, type GroupIndices, lengthOfRow, type RowIndices, rowCount, rowsAlong } from "./row-indices.ts";
import { rowWidth } from "./row-layout.ts";
import { firstLevel, radixOf, radixVariants } from "./row-max.ts";

/** Public: the layout of the elements, and each element's index in its row. */
function indexedRows(spec: Spec): { readonly rows: RowIndices; readonly indices: Float64Array } {
  const { shape } = spec.operands[0]!;
  const rows = rowsAlong(shape, [Number(spec.attrs.axis)]);
  const indices = new Float64Array(sizeOf(shape));
  for (let row = 0; row < rowCount(rows); row++) {
    for (let index = 0; index < lengthOfRow(rows, row); index++) {
      indices[rows.positions[rows.starts[row]! + index]!] = index;
    }
  }
  return { rows, indices };
}

/** Result of a level for each group: the largest element and its index, as fresh masked values. */
function* levelWinners(
  party: Party,
  pool: MaskedValue,
  indices: Payload,
  groups: GroupIndices,
  comparison: Comparison,
): Steps<{ readonly value: MaskedValue; readonly index: MaskedValue }> {
  const factors = yield* comparePairs(party, pool, groups, comparison);
  const values = selectWinners(party, { opened: pool.opened, secret: pool.mask.secret }, groups, factors);
  const won = selectWinners(party, indices, groups, factors);
  // Sums of fresh dealt shares: opened under fresh masks like any other shares.
  const [value, index] = yield* parallel(maskAndOpen(party, values), maskAndOpen(party, won));
  return { value, index };
}

/** The indices of the rows' maxima, as shares in a ring of `width` bits. The last level returns only the indices. */
function* indicesOfMaxima(party: Party, x: MaskedValue, spec: Spec): Steps<RingTensor> {
  const comparison = comparisonOf(spec);
  const radix = radixOf(spec);
  const { rows, indices } = indexedRows(spec);
  let pool = x;
  let payload: Payload = { opened: fromIntegers(intTensor([indices.length], indices), spec.result.width) };
  let left = rows;
  while (lengthOfRow(left, 0) > radix) {
    const level = firstLevel(left, pool.opened.shape[0]!, radix);
    const current = { pool, payload };
    const winners = yield* parallel(
      ...level.bySize.map((same) => levelWinners(party, current.pool, current.payload, same, comparison)),
    );
    pool = winners.reduce((all, { value }) => concatMasked(all, value), pool);
    payload = winners.reduce((all, { index }) => appendPayload(all, index), payload);
    left = level.remaining;
  }
  const last = asGroups(left);
  return selectWinners(party, payload, last, yield* comparePairs(party, pool, last, comparison));
}

/**
 * Index of the first maximum along an axis, by a tournament in which indices follow their elements. 3 rounds a level
 * with digit tables, 2 in the last (ours: docs/protocols/ordering.md).
 */
export const tournamentArgmax = defineProtocol({
  name: "tournament.argmax",
  implements: "argmax",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: (spec) => [rowWidth(spec.operands[0]!)],
  refuses: (spec) =>
    spec.result.scale === 0
      ? comparisonRefusal(rowWidth(spec.operands[0]!), comparisonOf(spec))
      : "its result is an integer",
  variants: (spec) =>
    radixVariants.flatMap((radix) =>
      comparisonVariants(rowWidth(spec.operands[0]!)).map((method) => ({ ...method, radix })),
    ),
  *run(party, spec, x) {
    const { shape, width } = spec.result;
    const operand = spec.operands[0]!;
    // A row of one element has index 0 only.
    if (sizeOf(shape) === sizeOf(operand.shape)) {
      return { kind: "share", tensor: publicShare(party, zeros(shape, width)) } satisfies Share;
    }
    const flat = mapMasked(narrowMasked(x as MaskedValue, rowWidth(spec.operands[0]!)), (t) =>
      reshape(t, [sizeOf(operand.shape)]),
    );
    return { kind: "share", tensor: reshape(yield* indicesOfMaxima(party, flat, spec), shape) } satisfies Share;
  },
});
