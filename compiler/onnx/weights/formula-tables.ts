import type { Tensor } from "../../../ir/tensor.ts";
import { maskedScore } from "./masked-score.ts";

/**
 * float32 rounds the frequencies (6e-8 each, and the error of the ratio grows with the power), so errors grow with the
 * angle.
 */
const tolerance = 1e-5;

/** Elements that are checked: larger tensors are weights. */
const maxTable = 2 ** 24;

/**
 * Whether values follow from the architecture alone, so that they hold no owner's secret: masks, positions (an
 * arithmetic progression along the last axis), rotary frequencies (θ^(−2i/d): a geometric progression from 1 down),
 * their multiples p·θ^(−2i/d), and the cosines and sines of these.
 */
export function isFormulaTable({ shape, data }: Tensor): boolean {
  if (data.length === 0 || data.length > maxTable) return data.length === 0;
  return (
    isMask(data) ||
    isDistanceTable(shape, data) ||
    isArithmeticProgression(data) ||
    isGeometricProgression(data) ||
    isSinusoidTable(shape, data)
  );
}

const fillValues: ReadonlySet<number> = new Set([0, 1, -1]);

/** Additive masks, and tensors filled with 0, ±1 or the masked score. Any other two values may be a binary weight. */
function isMask(data: Float64Array): boolean {
  const [first] = data;
  if (data.every((value) => value === first)) return fillValues.has(first!) || first! <= maskedScore;
  return data.every((value) => value === 0 || value <= maskedScore);
}

/** Fewer zeros and ones may be a binary weight. */
const minBandLength = 9;

/**
 * Band masks over relative positions: each difference of column and row has one of two values out of 0, ±1 and the
 * masked score, and the band is contiguous.
 */
function isDistanceTable(shape: readonly number[], data: Float64Array): boolean {
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (
    shape.length < 2 ||
    rows < 2 ||
    columns < 2 ||
    data.length < minBandLength ||
    data.length % (rows * columns) !== 0
  )
    return false;
  const [one] = data;
  const other = data.find((value) => value !== one) ?? one!;
  if (data.some((value) => value !== one && value !== other)) return false;
  if (![one!, other].every((value) => value <= maskedScore || fillValues.has(value))) return false;
  const of = (difference: number): number => (difference < 0 ? data[-difference * columns]! : data[difference]!);
  let changes = 0;
  for (let at = 2 - rows; at < columns; at++) changes += of(at) === of(at - 1) ? 0 : 1;
  if (changes > 2) return false;
  return data.every((value, at) => {
    const index = at % (rows * columns);
    return value === of((index % columns) - Math.floor(index / columns));
  });
}

/** 0, 1, 2, … as integers, repeated to the same end any number of times. */
function isArithmeticProgression(data: Float64Array): boolean {
  const start = data[0]!;
  const step = data[1]! - start;
  if (!Number.isInteger(step) || step === 0 || !Number.isInteger(start)) return false;
  const again = data.indexOf(start, 1);
  const period = again === -1 ? data.length : again;
  return data.every((value, at) => value === start + step * (at % period));
}

const isClose = (x: number, y: number): boolean => Math.abs(x - y) <= 1e-5 * Math.max(Math.abs(x), Math.abs(y));

function isGeometricProgression(data: Float64Array): boolean {
  const ratio = data[1]!;
  if (data[0] !== 1 || !(ratio > 0 && ratio < 1)) return false;
  return data.every((value, at) => isClose(value, ratio ** at));
}

interface PeriodicFunction {
  readonly of: (angle: number) => number;
  /** Angles of one period with this value. */
  readonly angles: (value: number) => readonly number[];
}
const fullTurn = 2 * Math.PI;
const periodicFunctions: readonly PeriodicFunction[] = [
  { of: Math.cos, angles: (value) => [Math.acos(value), fullTurn - Math.acos(value)] },
  { of: Math.sin, angles: (value) => [Math.asin(value), Math.PI - Math.asin(value), fullTurn + Math.asin(value)] },
  { of: (angle) => angle, angles: (value) => [value] },
];

/** Positions at which a table may start: a cache holds those before. */
const maxStartPosition = 2 ** 12;

/**
 * Confirming values of a table that does not start at 0: two values give start and ratio, and the rest confirm them.
 */
const minConfirmed = 8;

/** Rows are consecutive positions; columns are the frequencies, once or twice. */
function isSinusoidTable(shape: readonly number[], data: Float64Array): boolean {
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (shape.length < 2 || columns < 2) return false;
  const apart = (at: number, start: number, ratio: number, wave: PeriodicFunction, period: number): boolean => {
    const row = Math.floor(at / columns) % rows;
    const angle = (start + row) * ratio ** ((at % columns) % period);
    // The first rows give the ratio, as precisely as float32 stores it.
    return !(Math.abs(data[at]! - wave.of(angle)) <= tolerance * (1 + (row + angle) / 8));
  };
  const fits = (start: number, wave: PeriodicFunction, period: number): boolean =>
    (period === 1 ? [1] : ratiosOf(data, columns, start, wave)).some((ratio) =>
      data.every((_, at) => !apart(at, start, ratio, wave, period)),
    );
  return periodicFunctions.some((wave) =>
    [columns, columns / 2].filter(Number.isInteger).some((period) => {
      const last = rows * period >= minConfirmed ? maxStartPosition : 0;
      for (let start = rows > 1 ? 0 : 1; start <= last; start++) {
        // The first frequency is 1, whatever the others are.
        if (apart(0, start, 1, wave, period) || (rows > 1 && apart(columns, start, 1, wave, period))) continue;
        if (fits(start, wave, period)) return true;
      }
      return false;
    }),
  );
}

/**
 * Ratios of two neighbouring frequencies that agree with the second column; a position beyond a turn leaves several.
 */
function ratiosOf(data: Float64Array, columns: number, start: number, { angles }: PeriodicFunction): readonly number[] {
  const position = start === 0 ? 1 : start;
  const found = angles(data[(position - start) * columns + 1]!);
  const turns = found.length === 1 ? 1 : Math.ceil(position / fullTurn);
  const all = Array.from({ length: turns }, (_, k) => found.map((angle) => (angle + k * fullTurn) / position)).flat();
  return all.filter((ratio) => ratio > 0 && ratio < 1);
}
