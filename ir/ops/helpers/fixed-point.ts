import type { Tensor } from "../../tensor.ts";
import { map } from "./tensors.ts";

/** float64 rounds integers beyond this; NaN marks such an integer until the interpreter reports it. */
export const exactLimit = 2 ** 53;

/** value / 2^by, rounded half up: floor((raw + 2^(by-1)) / 2^by). A negative `by` shifts left. */
export function shiftDown(raw: Tensor, by: number): Tensor {
  if (by === 0) return raw;
  if (by < 0) return map(raw, (x) => x * 2 ** -by);
  const half = 2 ** (by - 1);
  return map(raw, (x) => (Math.abs(x) < exactLimit ? Math.floor((x + half) / 2 ** by) : Number.NaN));
}
