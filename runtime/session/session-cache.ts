import type { KnownWeight, MaskedValue } from "../core/index.ts";
import type { HeldWeight, Program } from "../program/index.ts";
import { concatMasked, mapMasked } from "../protocols/kit/index.ts";
import { sequenceAxis } from "../protocols/softmax/index.ts";
import { type IntTensor, metaTensor, type RingTensor, type Shape, slice, zeros } from "../ring/index.ts";

/**
 * What a session keeps between queries: the rows of all positions so far, of each masked value as far as a party knows
 * it.
 */
export interface SessionCache {
  readonly rows: number;
  readonly values: Readonly<Record<string, MaskedValue>>;
}
export const emptyCache: SessionCache = { rows: 0, values: {} };

/**
 * The cache after a query at a position. A prefill program keeps its first `position` rows, since the rows behind them
 * are padding (none at position 0); a decode program appends its row to the earlier ones.
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
    const added = results[name] as MaskedValue;
    const all = continues
      ? concatMasked(before.values[name]!, added, sequenceAxis)
      : mapMasked(added, (t) => rowsOf(t, sequenceAxis, 0, position));
    rows = all.opened.shape[sequenceAxis]!;
    return [name, all];
  });
  return { rows, values: Object.fromEntries(values) };
}

/** Rows of one query of the program, in each masked value that it caches. */
const rowsOfQuery = ({ cached = {} }: Program): number => Object.values(cached)[0]?.shape[sequenceAxis] ?? 0;

/**
 * Whether the program continues from the cache: a program of a single position does. A program of several positions
 * starts anew, even if it could read earlier rows: it runs at the beginning of a text, where there are none.
 */
export const readsCache = (program: Program): boolean =>
  rowsOfQuery(program) === 1 && Object.values(program.cached ?? {}).some(({ past }) => past > 0);

/**
 * Valid positions of a program: a prefill keeps from none to all of its rows, a decode step follows at least one row.
 */
export function positionRange(program: Program): { readonly least: number; readonly most: number } {
  if (!readsCache(program)) return { least: 0, most: rowsOfQuery(program) };
  return { least: 1, most: Object.values(program.cached ?? {})[0]!.past };
}

/** Masked values that a query reads from the cache; they may have no rows. */
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

/** The cache as a party sees it that does not hold it: the shapes that `position` earlier rows have. */
export const metaCache = (program: Program, position: number): Readonly<Record<string, MaskedValue>> =>
  cacheReads(program, (shape, width) =>
    metaTensor(shape.with(sequenceAxis, readsCache(program) ? position : 0), width),
  );

/** What a query reads from the cache. At the beginning of a text these are no rows, which is public. */
export const cacheInputs = (program: Program, { values }: SessionCache): Readonly<Record<string, MaskedValue>> =>
  readsCache(program) ? values : cacheReads(program, (shape, width) => zeros(shape.with(sequenceAxis, 0), width));

/** Rows from…to along an axis. */
function rowsOf<T extends RingTensor | IntTensor>(t: T, axis: number, from: number, to: number): T {
  const starts = t.shape.map((_, at) => (at === axis ? from : 0));
  return slice(
    t,
    starts,
    t.shape.map((size, at) => (at === axis ? to : size)),
  );
}

/** Rows from…to of a weight, in every component that a party holds. */
function rowsOfWeight(weight: HeldWeight, axis: number, [from, to]: readonly [number, number]): HeldWeight {
  const row = <T extends RingTensor | IntTensor>(t: T): T => rowsOf(t, axis, from, to);
  if (weight.kind === "masked") return mapMasked(weight, row);
  if (weight.kind === "int") return row(weight);
  const { shape, width, values, pad, hidden }: KnownWeight = weight;
  const some: Shape = shape.with(axis, to - from);
  return { kind: "weight", shape: some, width, values: row(values), pad: row(pad), hidden: row(hidden) };
}

/** Weights as the body uses them at a position: of a table one row in a decode step, the first rows in a prefill. */
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
