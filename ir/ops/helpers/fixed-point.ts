import type { Tensor } from "../../tensor.ts";

/** float64 rounds integers beyond this; NaN marks such an integer until the interpreter reports it. */
export const exactLimit = 2 ** 53;

/** value / 2^by, rounded half up: floor((raw + 2^(by-1)) / 2^by). A negative `by` shifts left. */
export function shiftDown(raw: Tensor, by: number): Tensor {
  if (by === 0) return raw;
  const { shape, data } = raw;
  const out = new Float64Array(data.length);
  const unit = 2 ** -by;
  const half = 2 ** (by - 1);
  if (by < 0) for (let i = 0; i < out.length; i++) out[i] = data[i]! * unit;
  else {
    for (let i = 0; i < out.length; i++) {
      const x = data[i]!;
      out[i] = Math.abs(x) < exactLimit ? Math.floor((x + half) * unit) : Number.NaN;
    }
  }
  return { shape, data: out };
}
