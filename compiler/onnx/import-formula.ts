import type { Tensor } from "../../ir/weights.ts";
import { absentScore } from "./absent-score.ts";

/** float32 rounds the frequencies (6e-8 each, the ratio's error grows with the power): angles err with the position. */
const tolerance = 1e-5;

/** Elements that are looked at: larger tensors are weights. */
const maxTable = 2 ** 24;

/**
 * Whether numbers follow from the architecture alone, so that no owner can have a secret in them: masks, positions (an arithmetic progression along the last axis), rotary frequencies
 * (θ^(−2i/d): a geometric progression from 1 down) their multiples p·θ^(−2i/d), and the cosines and sines of these.
 */
export function isFormula({ shape, data }: Tensor): boolean {
  if (data.length === 0 || data.length > maxTable) return data.length === 0;
  return isMask(data) || progression(data) || geometric(data) || table(shape, data);
}

/** Additive masks, and fills with 0, ±1 or the absent score. Two other numbers may be a binary weight. */
function isMask(data: Float64Array): boolean {
  const plain = new Set([0, 1, -1]);
  const [first] = data;
  if (data.every((value) => value === first)) return plain.has(first!) || first! <= absentScore;
  return data.every((value) => value === 0 || value <= absentScore);
}

/** 0, 1, 2, … of whole numbers, repeated any number of times. */
function progression(data: Float64Array): boolean {
  const step = data[1]! - data[0]!;
  if (!Number.isInteger(step) || step === 0 || !Number.isInteger(data[0])) return false;
  return data.every((value, at) => at === 0 || value === data[at - 1]! + step || value === data[0]);
}

const near = (x: number, y: number): boolean => Math.abs(x - y) <= 1e-5 * Math.max(Math.abs(x), Math.abs(y));

function geometric(data: Float64Array): boolean {
  const ratio = data[1]!;
  if (data[0] !== 1 || !(ratio > 0 && ratio < 1)) return false;
  return data.every((value, at) => near(value, ratio ** at));
}

/** What a table holds of its angles, with the inverse: on angles up to 1 both are exact enough. */
const waves: readonly (readonly [(angle: number) => number, (value: number) => number])[] = [
  [Math.cos, Math.acos],
  [Math.sin, Math.asin],
  [(angle) => angle, (value) => value],
];

/** Rows are positions from 0; the columns are the frequencies, once or twice. */
function table(shape: readonly number[], data: Float64Array): boolean {
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (shape.length < 2 || rows < 2 || columns < 2) return false;
  return waves.some(([wave, inverse]) => {
    const ratio = inverse(data[columns + 1]!);
    if (!(ratio > 0 && ratio < 1)) return false;
    const periods = [columns, columns / 2].filter(Number.isInteger);
    return periods.some((period) =>
      data.every((value, at) => {
        const position = Math.floor(at / columns) % rows;
        const angle = position * ratio ** ((at % columns) % period);
        return Math.abs(value - wave(angle)) <= tolerance * (1 + position / 8);
      }),
    );
  });
}
