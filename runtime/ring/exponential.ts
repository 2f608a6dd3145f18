import { isWorthDeferring } from "./deferred.ts";
import { deferElements } from "./deferred-elements.ts";
import { writeIntegers } from "./harmonics.ts";
import { kernel } from "./kernel.ts";
import { integerCode, powerOfTwo, powerOfTwoCode } from "./portable-math.ts";
import { type RingTensor, sizeOf } from "./tensor.ts";

/** round(2^(value / 2^fraction + exponent)) of residues of at most 32 bits, as an exact integer < 2^53 in a ring of `width` bits. */
export function exponentials(
  values: RingTensor,
  fraction: number,
  exponent: number,
  sign: 1 | -1,
  width: number,
): RingTensor {
  if (isWorthDeferring(sizeOf(values.shape), [values])) {
    return deferElements(values.shape, width, [values], (code, x) => {
      const power = code.add(code.mul(code.float(x!), code.real(sign * 2 ** -fraction)), code.real(exponent));
      const rounded = code.floor(code.add(powerOfTwoCode(code, power), code.real(0.5)));
      return integerCode(code, rounded, width);
    });
  }
  return kernel([values], values.shape, width, (out, data) => {
    const integers = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      integers[i] = Math.floor(powerOfTwo((sign * data[i]!) / 2 ** fraction + exponent) + 0.5);
    }
    writeIntegers(out, 0, integers, data.length, width);
  });
}
