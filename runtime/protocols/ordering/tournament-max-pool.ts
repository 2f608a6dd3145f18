import type { MaskedValue, Share } from "../../core/index.ts";
import { reshape, sizeOf, windowLayoutOf } from "../../ring/index.ts";
import { windowsOf } from "../arithmetic/index.ts";
import { comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import { defineProtocol, liftToRing, mapMasked, maskedWidth, narrowMasked, type Spec } from "../kit/index.ts";
import { lengthOfRow, type RowIndices, rowCount, rowIndices, startsOf } from "./row-indices.ts";
import { maxRadixVariants, radixOf, rowMax } from "./row-max.ts";

/** Positions of each window in the flat input, without the padding. Public: shapes determine them. */
function windowRows(spec: Spec): RowIndices {
  const { shape } = spec.operands[0]!;
  const spatial = shape.slice(2);
  const { area, positions } = windowLayoutOf(spatial, windowsOf(spec));
  const windows = rowIndices(
    [...Array(positions.length / area).keys()].map((window) =>
      [...positions.subarray(window * area, (window + 1) * area)].filter((position) => position >= 0),
    ),
  );
  const [planes, count] = [shape[0]! * shape[1]!, rowCount(windows)];
  const all = new Int32Array(planes * windows.positions.length);
  for (let plane = 0; plane < planes; plane++) {
    const from = plane * sizeOf(spatial);
    all.set(
      windows.positions.map((position) => from + position),
      plane * windows.positions.length,
    );
  }
  return { starts: startsOf(planes * count, (row) => lengthOfRow(windows, row % count)), positions: all };
}

/**
 * Largest element of each window of a tensor that is opened once, by a tournament of groups (attribute `radix`, default
 * four) among the positions of each window (docs/protocols/convolution.md). With comparisons of one round: 3 rounds for
 * windows of up to 4 positions, 6 for up to 16. Exact.
 */
export const tournamentMaxPool = defineProtocol({
  name: "tournament.max-pool",
  implements: "max-pool",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/convolution.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x] }) => [maskedWidth(x!)],
  refuses: (spec) => {
    const [x] = spec.operands;
    if (x!.scale !== spec.result.scale) return "its result must have the operand's fractional bits";
    return comparisonRefusal(maskedWidth(x!), comparisonOf(spec));
  },
  variants: ({ operands: [x] }) =>
    maxRadixVariants.flatMap((radix) => comparisonVariants(maskedWidth(x!)).map((method) => ({ ...method, radix }))),
  *run(party, spec, x) {
    const [operand] = spec.operands;
    const flat = mapMasked(narrowMasked(x as MaskedValue, maskedWidth(operand!)), (t) =>
      reshape(t, [sizeOf(operand!.shape)]),
    );
    const most = yield* rowMax(party, flat, windowRows(spec), comparisonOf(spec), radixOf(spec));
    return {
      kind: "share",
      tensor: reshape(liftToRing(party, most, spec.result.width), spec.result.shape),
    } satisfies Share;
  },
});
