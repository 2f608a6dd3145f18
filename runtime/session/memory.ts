import type { KnownWeight, Wire } from "../core/index.ts";
import type { Program, WeightHandle } from "../program/index.ts";
import { joinWires, mapWire } from "../protocols/kit/index.ts";
import { keptAxis } from "../protocols/softmax/index.ts";
import { ghost, type IntTensor, type RingTensor, type Shape, slice, zeros } from "../ring/index.ts";

/** What a session keeps between queries: the rows of so many places, of each wire as far as a party knows it. */
export interface Memory {
  readonly rows: number;
  readonly wires: Readonly<Record<string, Wire>>;
}
export const nothingKept: Memory = { rows: 0, wires: {} };

/**
 * What is kept after a query at a place. A program that starts anew keeps its first `place` rows, those behind them
 * being padding, none at place 0; another adds its row to those before.
 */
export function remember(
  program: Program,
  before: Memory,
  results: Readonly<Record<string, unknown>>,
  place: number,
): Memory {
  const names = Object.keys(program.kept ?? {});
  if (names.length === 0 || place === 0) return nothingKept;
  const goesOn = readsKept(program);
  let rows = 0;
  const wires = names.map((name): [string, Wire] => {
    const made = results[name] as Wire;
    const all = goesOn
      ? joinWires(before.wires[name]!, made, keptAxis)
      : mapWire(made, (t) => rowsOf(t, keptAxis, 0, place));
    rows = all.opened.shape[keptAxis]!;
    return [name, all];
  });
  return { rows, wires: Object.fromEntries(wires) };
}

/** Rows of one query of the program, of each wire that it keeps. */
const rowsOfQuery = ({ kept = {} }: Program): number => Object.values(kept)[0]?.shape[keptAxis] ?? 0;

/**
 * Whether the program goes on from what is kept: one of a single place does. One of several starts anew, also where it
 * could read earlier rows: it is for the beginning of a text, and finds none.
 */
export const readsKept = (program: Program): boolean =>
  rowsOfQuery(program) === 1 && Object.values(program.kept ?? {}).some(({ past }) => past > 0);

/** Places that a program can be asked about: a window keeps none to all of its rows, the next place follows a past. */
export function placesOf(program: Program): { readonly least: number; readonly most: number } {
  if (!readsKept(program)) return { least: 0, most: rowsOfQuery(program) };
  return { least: 1, most: Object.values(program.kept ?? {})[0]!.past };
}

/** Wires that a query reads, of which there may be no rows. */
function readOf(
  { kept = {} }: Program,
  of: (shape: Shape, width: number) => RingTensor,
): Readonly<Record<string, Wire>> {
  const reading = Object.entries(kept).filter(([, { past }]) => past > 0);
  return Object.fromEntries(
    reading.map(([name, { shape, width }]) => {
      const t = of(shape, width);
      return [name, { kind: "wire", opened: t, mask: { share: t, secret: t, fresh: false } }];
    }),
  );
}

/** What is kept, to one who does not hold it: the shapes that `place` rows before have. */
export const ghostKept = (program: Program, place: number): Readonly<Record<string, Wire>> =>
  readOf(program, (shape, width) => ghost(shape.with(keptAxis, readsKept(program) ? place : 0), width));

/** What a query of the program reads of what is kept; at the beginning of a text no rows, which everybody knows. */
export const keptFor = (program: Program, { wires }: Memory): Readonly<Record<string, Wire>> =>
  readsKept(program) ? wires : readOf(program, (shape, width) => zeros(shape.with(keptAxis, 0), width));

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
function rowsOfWeight(weight: WeightHandle, axis: number, [from, to]: readonly [number, number]): WeightHandle {
  const row = <T extends RingTensor | IntTensor>(t: T): T => rowsOf(t, axis, from, to);
  if (weight.kind === "wire") return mapWire(weight, row);
  if (weight.kind === "int") return row(weight);
  const { shape, width, values, pad, hidden }: KnownWeight = weight;
  const some: Shape = shape.with(axis, to - from);
  return { kind: "weight", shape: some, width, values: row(values), pad: row(pad), hidden: row(hidden) };
}

/** Weights as the body takes them in a query at a place: of a table its row, or the first ones for a window. */
export function atPlace(
  program: Program,
  handles: Readonly<Record<string, WeightHandle>>,
  place: number,
): Readonly<Record<string, WeightHandle>> {
  const isWindow = program.kept && !readsKept(program);
  const rows = isWindow ? ([0, rowsOfQuery(program)] as const) : ([place, place + 1] as const);
  return Object.fromEntries(
    Object.entries(program.weights).map(([name, decl]) => {
      const handle = handles[name]!;
      return [name, decl.place === undefined ? handle : rowsOfWeight(handle, decl.place, rows)];
    }),
  );
}
