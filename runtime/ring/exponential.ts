import { writer } from "./harmonics.ts";
import { kernel } from "./kernel.ts";
import { powerOfTwo } from "./portable-math.ts";
import type { RingTensor } from "./tensor.ts";

/** round(2^(value / 2^fraction + exponent)) of residues of at most 32 bits, as an exact integer < 2^53 in a ring of `width` bits. */
export function exponentials(
  values: RingTensor,
  fraction: number,
  exponent: number,
  sign: 1 | -1,
  width: number,
): RingTensor {
  return kernel([values], values.shape, width, (out, data) => {
    const put = writer(out, width);
    for (let i = 0; i < data.length; i++) {
      put(i, Math.round(powerOfTwo((sign * data[i]!) / 2 ** fraction + exponent)));
    }
  });
}
