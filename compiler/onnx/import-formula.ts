import type { Tensor } from "../../ir/weights.ts";

/** float32 tables of cosines at positions up to some thousands. */
const tolerance = 2e-3;

/** Elements that are looked at: larger tensors are weights. */
const maxTable = 2 ** 24;

/**
 * Whether numbers follow from the architecture alone, so that no owner can have a secret in them: masks and fills
 * (at most two different numbers), positions (an arithmetic progression along the last axis), rotary frequencies
 * (θ^(−2i/d): a geometric progression from 1 down) and their tables cos(p·θ^(−2i/d)) and sin(p·θ^(−2i/d)).
 */
export function isFormula({ shape, data }: Tensor): boolean {
  if (data.length === 0 || data.length > maxTable) return data.length === 0;
  return fewValues(data) || progression(data) || geometric(data) || table(shape, data);
}

function fewValues(data: Float64Array): boolean {
  const seen = new Set<number>();
  return data.every((value) => seen.add(value).size <= 2);
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

/** Rows are positions from 0; the columns are the frequencies, once or twice. */
function table(shape: readonly number[], data: Float64Array): boolean {
  const columns = shape.at(-1)!;
  const rows = data.length / columns;
  if (shape.length < 2 || rows < 2 || columns < 2) return false;
  const wave = data.subarray(0, columns).every((x) => x === 1) ? Math.cos : Math.sin;
  if (wave === Math.sin && !data.subarray(0, columns).every((x) => x === 0)) return false;
  const ratio = wave === Math.cos ? Math.acos(data[columns + 1]!) : Math.asin(data[columns + 1]!);
  if (!(ratio > 0 && ratio < 1)) return false;
  const repeats = [columns, columns / 2].filter(Number.isInteger);
  return repeats.some((period) =>
    data.every((value, at) => {
      const position = Math.floor(at / columns) % shape.at(-2)!;
      const frequency = ratio ** ((at % columns) % period);
      // The ratio is known to float32 only: its error grows with the position.
      return Math.abs(value - wave(position * frequency)) <= tolerance + 1e-5 * position;
    }),
  );
}
