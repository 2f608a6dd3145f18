/**
 * Sine, cosine and powers of two from additions and multiplications of float64 only. Both parties must compute exactly
 * the same public factors. Math.sin may differ in the last bit between engines, and a factor that differs by one unit
 * multiplies a uniform share, which destroys the result. IEEE 754 arithmetic does not differ.
 */

const twoPi = 2 * Math.PI;
const inverseFactorials: number[] = [1];
for (let n = 1; n < 20; n++) inverseFactorials.push(inverseFactorials[n - 1]! / n);

/** Taylor sum Σ sign·x^n/n! over n ≡ start mod step, n < 20, by Horner from the top. */
function series(x: number, start: number, step: number, sign: number): number {
  let sum = 0;
  for (let n = start + step * Math.floor((19 - start) / step); n >= start; n -= step) {
    sum = inverseFactorials[n]! + sign * (step === 1 ? x : x * x) * sum;
  }
  return start === 1 ? sum * x : sum;
}

/** [cos, sin] of 2π·index/2^bits for an integer index in [0, 2^bits), error below 1e-15. */
export function cosineSine(index: number, bits: number): readonly [number, number] {
  const fraction = index / 2 ** bits;
  // Reduced to an eighth of a turn on either side of the nearest quarter turn.
  const quarter = Math.floor(fraction * 4 + 0.5);
  const angle = twoPi * (fraction - quarter / 4);
  const c = series(angle, 0, 2, -1);
  const s = series(angle, 1, 2, -1);
  switch (quarter & 3) {
    case 0:
      return [c, s];
    case 1:
      return [-s, c];
    case 2:
      return [-c, -s];
    default:
      return [s, -c];
  }
}

/** 2^x for |x| < 1000, relative error below 1e-15. */
export function powerOfTwo(x: number): number {
  const whole = Math.floor(x + 0.5);
  // 2 ** integer is exact in every engine: scale by repeated exact doubling instead of trusting Math.pow.
  let scale = 1;
  const factor = whole < 0 ? 0.5 : 2;
  for (let i = Math.abs(whole); i > 0; i--) scale *= factor;
  return series((x - whole) * Math.LN2, 0, 1, 1) * scale;
}

/** ⌊log2 x⌋ of a positive finite x, by exact halving and doubling. */
export function floorLog2(x: number): number {
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) throw new RangeError(`${x} has no logarithm: expected 0 < x < ∞`);
  let exponent = 0;
  let rest = x;
  for (; rest >= 2; rest /= 2) exponent += 1;
  for (; rest < 1; rest *= 2) exponent -= 1;
  return exponent;
}
