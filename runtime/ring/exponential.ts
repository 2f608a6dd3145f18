import { writeIntegers } from "./harmonics.ts";
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
    const integers = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      integers[i] = Math.round(powerOfTwo((sign * data[i]!) / 2 ** fraction + exponent));
    }
    writeIntegers(out, 0, integers, data.length, width);
  });
}
