import type { KnownWeight, MaskedValue } from "../core/index.ts";
import type { HeldWeight, Program } from "../program/index.ts";
import { concatMasked, mapMasked } from "../protocols/kit/index.ts";
import { sequenceAxis } from "../protocols/softmax/index.ts";
import { type IntTensor, metaTensor, type RingTensor, type Shape, slice, zeros } from "../ring/index.ts";

/** What a session keeps between queries: the rows of so many places, of each wire as far as a party knows it. */
export interface SessionCache {
  readonly rows: number;
  readonly values: Readonly<Record<string, MaskedValue>>;
}
export const emptyCache: SessionCache = { rows: 0, values: {} };

/**
 * What is kept after a query at a place. A program that starts anew keeps its first `place` rows, those behind them
 * being padding, none at place 0; another adds its row to those before.
 */
export function updateCache(
  program: Program,
  before: SessionCache,
  results: Readonly<Record<string, unknown>>,
  position: number,
): SessionCache {
  const names = Object.keys(program.cached ?? {});
  if (names.length === 0 || position === 0) return emptyCache;
  const continues = readsCache(program);
  let rows = 0;
  const values = names.map((name): [string, MaskedValue] => {
    const made = results[name] as MaskedValue;
    const all = continues
      ? concatMasked(before.values[name]!, made, sequenceAxis)
      : mapMasked(made, (t) => rowsOf(t, sequenceAxis, 0, position));
    rows = all.opened.shape[sequenceAxis]!;
    return [name, all];
  });
  return { rows, values: Object.fromEntries(values) };
}

/** Rows of one query of the program, of each wire that it keeps. */
const rowsOfQuery = ({ cached = {} }: Program): number => Object.values(cached)[0]?.shape[sequenceAxis] ?? 0;

/**
 * Whether the program goes on from what is kept: one of a single place does. One of several starts anew, also where it
 * could read earlier rows: it is for the beginning of a text, and finds none.
 */
export const readsCache = (program: Program): boolean =>
  rowsOfQuery(program) === 1 && Object.values(program.cached ?? {}).some(({ past }) => past > 0);

/** Places that a program can be asked about: a window keeps none to all of its rows, the next place follows a past. */
export function positionRange(program: Program): { readonly least: number; readonly most: number } {
  if (!readsCache(program)) return { least: 0, most: rowsOfQuery(program) };
  return { least: 1, most: Object.values(program.cached ?? {})[0]!.past };
}

/** Wires that a query reads, of which there may be no rows. */
function cacheReads(
  { cached = {} }: Program,
  of: (shape: Shape, width: number) => RingTensor,
): Readonly<Record<string, MaskedValue>> {
  const reading = Object.entries(cached).filter(([, { past }]) => past > 0);
  return Object.fromEntries(
    reading.map(([name, { shape, width }]) => {
      const t = of(shape, width);
      return [name, { kind: "masked", opened: t, mask: { share: t, secret: t, fresh: false } }];
    }),
  );
}

/** What is kept, to one who does not hold it: the shapes that `place` rows before have. */
export const metaCache = (program: Program, position: number): Readonly<Record<string, MaskedValue>> =>
  cacheReads(program, (shape, width) =>
    metaTensor(shape.with(sequenceAxis, readsCache(program) ? position : 0), width),
  );

/** What a query of the program reads of what is kept; at the beginning of a text no rows, which everybody knows. */
export const cacheInputs = (
  program: Program,
  { values: wires }: SessionCache,
): Readonly<Record<string, MaskedValue>> =>
  readsCache(program) ? wires : cacheReads(program, (shape, width) => zeros(shape.with(sequenceAxis, 0), width));

/** Rows from…to along an axis. */
function rowsOf<T extends RingTensor | IntTensor>(t: T, axis: number, from: number, to: number): T {
  const starts = t.shape.map((_, at) => (at === axis ? from : 0));
  return slice(
    t,
    starts,
    t.shape.map((extent, at) => (at === axis ? to : extent)),
  );
}

/** Rows from…to of a weight: of all that a party has of it alike. */
function rowsOfWeight(weight: HeldWeight, axis: number, [from, to]: readonly [number, number]): HeldWeight {
  const row = <T extends RingTensor | IntTensor>(t: T): T => rowsOf(t, axis, from, to);
  if (weight.kind === "masked") return mapMasked(weight, row);
  if (weight.kind === "int") return row(weight);
  const { shape, width, values, pad, hidden }: KnownWeight = weight;
  const some: Shape = shape.with(axis, to - from);
  return { kind: "weight", shape: some, width, values: row(values), pad: row(pad), hidden: row(hidden) };
}

/** Weights as the body takes them in a query at a place: of a table its row, or the first ones for a window. */
export function weightsAt(
  program: Program,
  handles: Readonly<Record<string, HeldWeight>>,
  position: number,
): Readonly<Record<string, HeldWeight>> {
  const isWindow = program.cached && !readsCache(program);
  const rows = isWindow ? ([0, rowsOfQuery(program)] as const) : ([position, position + 1] as const);
  return Object.fromEntries(
    Object.entries(program.weights).map(([name, decl]) => {
      const handle = handles[name]!;
      return [name, decl.rowAxis === undefined ? handle : rowsOfWeight(handle, decl.rowAxis, rows)];
    }),
  );
}
