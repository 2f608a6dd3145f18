import type { Shape } from "../../ring/index.ts";

/**
 * Rows of positions in a flat list: the elements of each row. Public: shapes and attention masks determine them. Row r is
 * positions[starts[r]] … positions[starts[r + 1] − 1]. A layer of 512 positions has millions of scores, so these are
 * plain arrays of integers.
 */
export interface RowIndices {
  readonly starts: Int32Array;
  readonly positions: Int32Array;
}

/** Positions that are compared together: groups of one size, one after the other. */
export interface GroupIndices {
  readonly size: number;
  readonly positions: Int32Array;
}

export const rowCount = ({ starts }: RowIndices): number => starts.length - 1;
export const lengthOfRow = ({ starts }: RowIndices, row: number): number => starts[row + 1]! - starts[row]!;
export const groupCount = ({ size, positions }: GroupIndices): number => positions.length / size;

/** The length of the longest row. */
export function longestRow(rows: RowIndices): number {
  let longest = 0;
  for (let row = 0; row < rowCount(rows); row++) longest = Math.max(longest, lengthOfRow(rows, row));
  return longest;
}

/** Rows that are written as lists. */
export const rowIndices = (rows: readonly (readonly number[])[]): RowIndices => ({
  starts: startsOf(rows.length, (row) => rows[row]!.length),
  positions: Int32Array.from(rows.flat()),
});

/** Where rows of these lengths begin, and the end of the last. */
export function startsOf(count: number, lengthOf: (row: number) => number): Int32Array {
  const starts = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) starts[row + 1] = starts[row]! + lengthOf(row);
  return starts;
}

/** The positions of a whole list. */
export function countingUp(count: number): Int32Array {
  const positions = new Int32Array(count);
  for (let k = 0; k < count; k++) positions[k] = k;
  return positions;
}

/** Rows of one length, as groups. */
export const asGroups = (rows: RowIndices): GroupIndices => ({ size: lengthOfRow(rows, 0), positions: rows.positions });

/** The positions of member i of each group. */
export function membersOf(groups: GroupIndices, i: number): Int32Array {
  const members = new Int32Array(groupCount(groups));
  for (let group = 0; group < members.length; group++) members[group] = groups.positions[group * groups.size + i]!;
  return members;
}

/**
 * The rows of a flat tensor of this shape along axes (negative axes count from the end), in the order of the other
 * axes.
 */
export function rowsAlong(shape: Shape, axes: readonly number[]): RowIndices {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  const offsets = (among: boolean): readonly number[] =>
    shape.reduce<readonly number[]>(
      (all, size, axis) =>
        reduced.has(axis) === among
          ? all.flatMap((offset) => [...Array(size).keys()].map((k) => offset * size + k))
          : all.map((offset) => offset * size),
      [0],
    );
  const inside = offsets(true);
  const fronts = offsets(false);
  const positions = new Int32Array(fronts.length * inside.length);
  let at = 0;
  for (const front of fronts) for (const offset of inside) positions[at++] = front + offset;
  return { starts: startsOf(fronts.length, () => inside.length), positions };
}
