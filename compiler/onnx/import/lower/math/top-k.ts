import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  type GraphOperand,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
} from "../../graph/index.ts";
import { sliceAxes } from "../tensor/layout.ts";

/** Values in a row, and their indices in the model's row; absent: their own positions. */
interface RankedRow {
  readonly values: GraphOperand;
  readonly indices?: GraphOperand;
}
interface TopKOptions {
  readonly axis: number;
  readonly count: number;
  readonly largest: boolean;
}

/** The first entries of each row by rank. Ties keep the order of their positions. */
function topOfRow(
  { emit }: LowerContext,
  { values, indices }: RankedRow,
  { axis, count, largest }: TopKOptions,
): Required<RankedRow> {
  const ranks = emit("rank", [values], { axis, largest });
  const attrs = { axis, count };
  return {
    values: emit("select-by-rank", [ranks, values], attrs),
    indices: emit("select-by-rank", indices ? [ranks, indices] : [ranks], attrs),
  };
}

/** The first entries of each group of `size` from `start` on, concatenated. */
function topOfGroups(
  context: LowerContext,
  row: RankedRow,
  wanted: TopKOptions,
  start: number,
  groups: number,
  size: number,
): Required<RankedRow> {
  const { emit, shape } = context;
  const { axis } = wanted;
  const ends = { start, end: start + groups * size, step: 1 };
  const grouped = (x: GraphOperand): GraphOperand => {
    const part = sliceAxes(context, x, new Map([[axis, ends]]));
    return emit("reshape", [part], { shape: shape(part).toSpliced(axis, 1, groups, size) });
  };
  const count = Math.min(wanted.count, size);
  const parted: RankedRow = { values: grouped(row.values), ...(row.indices && { indices: grouped(row.indices) }) };
  const found = topOfRow(context, parted, { ...wanted, axis: axis + 1, count });
  const joined = (x: GraphOperand): GraphOperand =>
    emit("reshape", [x], { shape: shape(x).toSpliced(axis, 2, groups * count) });
  if (row.indices) return { values: joined(found.values), indices: joined(found.indices) };
  // Indices within a group, from its first entry.
  const inner = shape(found.indices).slice(axis + 2);
  const offsets = boundedList(groups, (group) => start + group * size);
  const from = context.constant(tensor([groups, 1, ...inner.map(() => 1)], offsets), i64);
  return { values: joined(found.values), indices: joined(emit("add", [found.indices, from])) };
}

/**
 * All pairs of a row are compared. Longer rows are split in groups that each pass on their first k, until one group is
 * left. A group is a few times as long as what it passes on.
 */
function topK(context: LowerContext): readonly GraphOperand[] {
  const values = inputOf(context, 0, "X");
  const axis = axisOf(intAttr(context, "axis", -1), context.shape(values).length);
  const count = knownInput(context, 1, "K")?.data[0] ?? intAttr(context, "k", 1);
  const wanted = { axis, count, largest: intAttr(context, "largest", 1) !== 0 };
  const size = Math.max(32, 4 * count);
  let row: RankedRow = { values };
  for (let length = context.shape(values)[axis]!; length > size; length = context.shape(row.values)[axis]!) {
    const groups = Math.floor(length / size);
    const topOfWholeGroups = topOfGroups(context, row, wanted, 0, groups, size);
    const remaining = length - groups * size;
    const rest = remaining > 0 ? [topOfGroups(context, row, wanted, groups * size, 1, remaining)] : [];
    const joined = (part: (of: Required<RankedRow>) => GraphOperand): GraphOperand =>
      context.emit("concat", [topOfWholeGroups, ...rest].map(part), { axis });
    row = { values: joined((of) => of.values), indices: joined((of) => of.indices) };
  }
  const found = topOfRow(context, row, wanted);
  return [found.values, found.indices];
}

export const topKLowerings: LowerTable = { TopK: topK };
