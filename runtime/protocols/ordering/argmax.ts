import type { Party, Share, Wire } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import { fromIntegers, integers, type RingTensor, reshape, sizeOf, zeros } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { type Comparison, comparisonOf, comparisonVariants, differenceOf, tooWide } from "../comparison/index.ts";
import { defineProtocol, joinWires, mapWire, narrowed, publicShare, type Spec, wireWidth } from "../kit/index.ts";
import { duels, type Groups, joinPrizes, type Prize, type Rows, rowsAlong, winners } from "./duels.ts";
import { levelOf, radixOf, radixVariants } from "./row-max.ts";

const widthOf = ({ operands: [x] }: Spec): number => Math.max(wireWidth(x!), wireWidth(differenceOf(x!, x!)));

/** Public: how elements are laid out, and which place in its row each has. */
function rowsOf(spec: Spec): { readonly rows: Rows; readonly places: Float64Array } {
  const { shape } = spec.operands[0]!;
  const rows = rowsAlong(shape, [Number(spec.attrs.axis)]);
  const places = new Float64Array(sizeOf(shape));
  for (const row of rows) for (const [place, position] of row.entries()) places[position] = place;
  return { rows, places };
}

/** What a group sends up: its largest element and that one's place, as fresh wires. */
function* rise(
  party: Party,
  pool: Wire,
  places: Prize,
  groups: Groups,
  comparison: Comparison,
): Steps<{ readonly value: Wire; readonly place: Wire }> {
  const factors = yield* duels(party, pool, groups, comparison);
  const values = winners(party, { opened: pool.opened, secret: pool.mask.secret }, groups, factors);
  const won = winners(party, places, groups, factors);
  // Sums of fresh dealt shares: opened under fresh masks like any other shares.
  const [value, place] = yield* parallel(openWire(party, values), openWire(party, won));
  return { value, place };
}

/** The places of the rows' maxima, as shares in a ring of `width` bits. The last level lets only the places rise. */
function* placesOfMaxima(party: Party, x: Wire, spec: Spec): Steps<RingTensor> {
  const comparison = comparisonOf(spec);
  const radix = radixOf(spec);
  const { rows, places } = rowsOf(spec);
  let pool = x;
  let prizes: Prize = { opened: fromIntegers(integers([places.length], places), spec.result.width) };
  let left = rows;
  while (left[0]!.length > radix) {
    const level = levelOf(left, pool.opened.shape[0]!, radix);
    const current = { pool, prizes };
    const risen = yield* parallel(
      ...level.bySize.map((same) => rise(party, current.pool, current.prizes, same, comparison)),
    );
    pool = risen.reduce((all, { value }) => joinWires(all, value), pool);
    prizes = risen.reduce((all, { place }) => joinPrizes(all, place), prizes);
    left = level.left;
  }
  return winners(party, prizes, left, yield* duels(party, pool, left, comparison));
}

/**
 * Place of the first maximum along an axis, by a tournament whose winners bring their places along. 3 rounds a level
 * with digit tables, 2 in the last (ours: docs/protocols/ordering.md).
 */
export const tournamentArgmax = defineProtocol({
  name: "tournament.argmax",
  implements: "argmax",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["wire"],
  yields: "share",
  operandWidths: (spec) => [widthOf(spec)],
  refuses: (spec) =>
    spec.result.scale === 0 ? tooWide(widthOf(spec), comparisonOf(spec)) : "a place is a whole number",
  variants: (spec) =>
    radixVariants.flatMap((radix) => comparisonVariants(widthOf(spec)).map((method) => ({ ...method, radix }))),
  *run(party, spec, x) {
    const { shape, width } = spec.result;
    const operand = spec.operands[0]!;
    // A row of one has no other place than the first.
    if (sizeOf(shape) === sizeOf(operand.shape)) {
      return { kind: "share", tensor: publicShare(party, zeros(shape, width)) } satisfies Share;
    }
    const flat = mapWire(narrowed(x as Wire, widthOf(spec)), (t) => reshape(t, [sizeOf(operand.shape)]));
    return { kind: "share", tensor: reshape(yield* placesOfMaxima(party, flat, spec), shape) } satisfies Share;
  },
});
