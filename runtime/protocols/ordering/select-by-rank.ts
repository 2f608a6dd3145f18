import type { MaskedValue, Party, Share } from "../../core/index.ts";
import {
  add,
  entriesFrom,
  fromIntegers,
  intTensor,
  mul,
  type RingTensor,
  reduceSum,
  sub,
  transpose,
  unitVectors,
} from "../../ring/index.ts";
import { scaleMismatch } from "../comparison/index.ts";
import {
  defineProtocol,
  gateByBit,
  mapMasked,
  maskTopBit,
  narrowMasked,
  publicParts,
  resizeRing,
  type Spec,
  scaleIntoRing,
} from "../kit/index.ts";
import { rowLayout, rowLengthRefusal, rowWidth } from "./row-layout.ts";

/** Bits that distinguish the ranks of a row. */
export const rankBits = (length: number): number => Math.max(2, Math.ceil(Math.log2(length)));

const rowLength = ({ operands: [ranks], attrs }: Spec): number => ranks!.shape.at(Number(attrs.axis))!;

/**
 * Shares of secret_i·1{rank_i = p} for p < count, [count, rows, length]; without `secret` of 1{rank_i = p}. For each
 * element the dealer shares the vector with secret_i at the index of the rank's mask, and the opened rank gives the
 * index to read: the mask is ρ̂ − p exactly if the rank is p.
 */
function indicatorsAtRanks(
  party: Party,
  ranks: MaskedValue,
  count: number,
  width: number,
  secret?: RingTensor,
): RingTensor {
  const unit = unitVectors(ranks.mask.secret, width);
  // A rank plus a uniform mask of its ring: looking it up reveals nothing.
  return entriesFrom(party.dealt(secret ? mul(unit, secret) : unit), ranks.opened, count);
}

const sumOfRow = (t: RingTensor): RingTensor => reduceSum(t, [2], false);

/** Σ_i x_i·1{rank_i = p} for a masked value x, x = a − r + 2^n·g·msb(r). */
export function entriesAtRanks(
  party: Party,
  ranks: MaskedValue,
  x: MaskedValue,
  count: number,
  width: number,
): RingTensor {
  const n = x.opened.width;
  const { a, g } = publicParts(x, width);
  const factors = mul(indicatorsAtRanks(party, ranks, count, width), a);
  const lowPart = sumOfRow(
    sub(factors, indicatorsAtRanks(party, ranks, count, width, resizeRing(x.mask.secret, width))),
  );
  if (width <= n) return lowPart;
  const wraps = indicatorsAtRanks(party, ranks, count, width - n, maskTopBit(x.mask.secret, width - n));
  return add(lowPart, scaleIntoRing(sumOfRow(gateByBit(g, wraps)), n, width));
}

/** Σ_i i·1{rank_i = p} */
function indicesAtRanks(party: Party, ranks: MaskedValue, count: number, width: number): RingTensor {
  const length = ranks.opened.shape[1]!;
  const indices = intTensor(
    [1, length],
    Float64Array.from({ length }, (_, i) => i),
  );
  return sumOfRow(mul(indicatorsAtRanks(party, ranks, count, width), fromIntegers(indices, width)));
}

/**
 * The entries of the first ranks, from masked ranks and masked entries; without entries their indices. 0 rounds; per
 * element 2^⌈log₂ L⌉·(2·width + max(0, width − n)) bits from the dealer, without entries 2^⌈log₂ L⌉·width (ours:
 * docs/protocols/ordering.md).
 */
export const tableSelectByRank = defineProtocol({
  name: "table.select-by-rank",
  implements: "select-by-rank",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: (spec) => spec.operands.map((x, index) => (index === 0 ? rankBits(rowLength(spec)) : rowWidth(x))),
  refuses: (spec) => {
    const [ranks, ...entries] = spec.operands;
    if (ranks!.scale !== 0) return "its ranks must be integers";
    return rowLengthRefusal(spec) ?? scaleMismatch(...entries, spec.result);
  },
  *run(party, spec, ranks, x?) {
    const { length, toRows, fromRows } = rowLayout(spec.operands[0]!.shape, Number(spec.attrs.axis));
    const { width } = spec.result;
    const count = Number(spec.attrs.count);
    const order = mapMasked(narrowMasked(ranks as MaskedValue, rankBits(length)), toRows);
    const found = x
      ? entriesAtRanks(
          party,
          order,
          mapMasked(narrowMasked(x as MaskedValue, rowWidth(spec.operands[1]!)), toRows),
          count,
          width,
        )
      : indicesAtRanks(party, order, count, width);
    return { kind: "share", tensor: fromRows(transpose(found, [1, 0])) } satisfies Share;
  },
});
