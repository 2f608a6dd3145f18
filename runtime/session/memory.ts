import type { KnownWeight, Wire } from "../party.ts";
import type { Program, WeightHandle } from "../program.ts";
import { keptAxis } from "../protocols/cached-attention.ts";
import { joinWires, mapWire } from "../protocols/wires.ts";
import { slice } from "../ring/index.ts";
import { ghost, type IntTensor, type RingTensor, type Shape } from "../ring/tensor.ts";

/** What a session keeps between queries: the rows of so many places, of each wire as far as a party knows it. */
export interface Memory {
  readonly rows: number;
  readonly wires: Readonly<Record<string, Wire>>;
}
export const nothingKept: Memory = { rows: 0, wires: {} };

/**
 * What is kept after a query at a place. A program that reads none starts anew with its first `place` rows, those
 * behind them being padding, none at place 0; another adds its rows to those before.
 */
export function remember(
  { kept = {} }: Program,
  before: Memory,
  results: Readonly<Record<string, unknown>>,
  place: number,
): Memory {
  const names = Object.entries(kept);
  if (names.length === 0 || place === 0) return nothingKept;
  let rows = 0;
  const wires = names.map(([name, { past }]): [string, Wire] => {
    const made = results[name] as Wire;
    const all =
      past > 0 ? joinWires(before.wires[name]!, made, keptAxis) : mapWire(made, (t) => rowsOf(t, keptAxis, 0, place));
    rows = all.opened.shape[keptAxis]!;
    return [name, all];
  });
  return { rows, wires: Object.fromEntries(wires) };
}

/** Whether the program goes on from what is kept. */
export const readsKept = ({ kept = {} }: Program): boolean => Object.values(kept).some(({ past }) => past > 0);

/** Places that a program can be asked about: a window keeps none to all of its rows, the next place follows a past. */
export function placesOf({ kept = {} }: Program): { readonly least: number; readonly most: number } {
  const [first] = Object.values(kept);
  return first
    ? first.past > 0
      ? { least: 1, most: first.past }
      : { least: 0, most: first.shape[keptAxis]! }
    : { least: 0, most: 0 };
}

/** What is kept, to one who does not hold it: the shapes that `place` rows before have. */
export function ghostKept({ kept = {} }: Program, place: number): Readonly<Record<string, Wire>> {
  const reading = Object.entries(kept).filter(([, { past }]) => past > 0);
  return Object.fromEntries(
    reading.map(([name, { shape, width }]) => {
      const empty = ghost(shape.with(keptAxis, place), width);
      return [name, { kind: "wire", opened: empty, mask: { share: empty, secret: empty, fresh: false } }];
    }),
  );
}

/** Rows from…to along an axis. */
function rowsOf<T extends RingTensor | IntTensor>(t: T, axis: number, from: number, to: number): T {
  const starts = t.shape.map((_, at) => (at === axis ? from : 0));
  return slice(
    t,
    starts,
    t.shape.map((extent, at) => (at === axis ? to : extent)),
  );
}

/** The row of a weight at a place: of all that a party has of it alike. */
function rowOfWeight(weight: WeightHandle, axis: number, place: number): WeightHandle {
  const row = <T extends RingTensor | IntTensor>(t: T): T => rowsOf(t, axis, place, place + 1);
  if (weight.kind === "wire") return mapWire(weight, row);
  if (weight.kind === "int") return row(weight);
  const { shape, width, values, pad, hidden }: KnownWeight = weight;
  const one: Shape = shape.with(axis, 1);
  return { kind: "weight", shape: one, width, values: row(values), pad: row(pad), hidden: row(hidden) };
}

/** Weights as the body takes them in a query at a place. */
export const atPlace = (
  { weights }: Program,
  handles: Readonly<Record<string, WeightHandle>>,
  place: number,
): Readonly<Record<string, WeightHandle>> =>
  Object.fromEntries(
    Object.entries(weights).map(([name, decl]) => {
      const handle = handles[name]!;
      return [name, decl.place === undefined ? handle : rowOfWeight(handle, decl.place, place)];
    }),
  );
