import type { Builder, Term } from "../kernels/index.ts";

/**
 * Sine, cosine and powers of two from additions and multiplications of float64 only. Both parties must compute exactly
 * the same public factors. Math.sin may differ in the last bit between engines, and a factor that differs by one unit
 * multiplies a uniform share, which destroys the result. IEEE 754 arithmetic does not differ.
 */

const twoPi = 2 * Math.PI;
const inverseFactorials: number[] = [1];
for (let n = 1; n < 20; n++) inverseFactorials.push(inverseFactorials[n - 1]! / n);

/**
 * Writes cos and sin of 2π·index/2^bits, error below 1e-15, for indices [from, from + cosines.length) of `data`, each
 * in [0, 2^bits). Straight-line code: the quarter of the turn selects by products with 0 and 1.
 */
export function cosinesAndSines(
  data: Uint32Array,
  from: number,
  bits: number,
  cosines: Float64Array,
  sines: Float64Array,
): void {
  const turn = 2 ** -bits;
  const f = inverseFactorials;
  const [f2, f3, f4, f5, f6, f7, f8, f9] = [f[2]!, f[3]!, f[4]!, f[5]!, f[6]!, f[7]!, f[8]!, f[9]!];
  const [f10, f11, f12, f13, f14, f15, f16, f17] = [f[10]!, f[11]!, f[12]!, f[13]!, f[14]!, f[15]!, f[16]!, f[17]!];
  const [f18, f19] = [f[18]!, f[19]!];
  for (let i = 0; i < cosines.length; i++) {
    const fraction = data[from + i]! * turn;
    // Reduced to an eighth of a turn on either side of the nearest quarter turn.
    const quarter = Math.floor(fraction * 4 + 0.5);
    const x = twoPi * (fraction - quarter / 4);
    const y = x * x;
    let c = f16 - y * f18;
    c = f12 - y * (f14 - y * c);
    c = f8 - y * (f10 - y * c);
    c = f4 - y * (f6 - y * c);
    c = 1 - y * (f2 - y * c);
    let s = f17 - y * f19;
    s = f13 - y * (f15 - y * s);
    s = f9 - y * (f11 - y * s);
    s = f5 - y * (f7 - y * s);
    s = (1 - y * (f3 - y * s)) * x;
    const odd = quarter & 1;
    const even = 1 - odd;
    const sign = 1 - (quarter & 2);
    cosines[i] = sign * (even * c - odd * s);
    sines[i] = sign * (even * s + odd * c);
  }
}

/** cos and sin of 2π·x/2^bits in a kernel, for a u32 x below 2^bits: the steps of `cosinesAndSines`, in the same order. */
export function cosineAndSine(code: Builder, x: Term, bits: number): readonly [cosine: Term, sine: Term] {
  const number = (n: number): Term => code.real(n);
  const times = (a: Term, n: number): Term => code.mul(a, number(n));
  const fraction = times(code.float(x), 2 ** -bits);
  const quarter = code.floor(code.add(times(fraction, 4), number(0.5)));
  const angle = times(code.sub(fraction, times(quarter, 1 / 4)), twoPi);
  const y = code.mul(angle, angle);
  /** f[0] − y·(f[1] − y·(f[2] − …)). */
  const alternating = (factors: readonly number[]): Term =>
    factors.slice(0, -1).reduceRight((sum, n) => code.sub(number(n), code.mul(y, sum)), number(factors.at(-1)!));
  const f = inverseFactorials;
  const c = alternating([0, 2, 4, 6, 8, 10, 12, 14, 16, 18].map((n) => f[n]!));
  const s = code.mul(alternating([1, 3, 5, 7, 9, 11, 13, 15, 17, 19].map((n) => f[n]!)), angle);
  /** n mod 2 of a small integer. */
  const parity = (half: Term, n: Term): Term => code.sub(n, times(half, 2));
  const half = code.floor(times(quarter, 1 / 2));
  const odd = parity(half, quarter);
  const even = code.sub(number(1), odd);
  const sign = code.sub(number(1), times(parity(code.floor(times(half, 1 / 2)), half), 2));
  const turned = (a: Term, b: Term, join: "add" | "sub"): Term =>
    code.mul(sign, code[join](code.mul(even, a), code.mul(odd, b)));
  return [turned(c, s, "sub"), turned(s, c, "add")];
}

/** 2^x in a kernel, for a double |x| < 1000: the steps of `powerOfTwo`. */
export function powerOfTwoCode(code: Builder, x: Term): Term {
  const whole = code.floor(code.add(x, code.real(0.5)));
  const y = code.mul(code.sub(x, whole), code.real(Math.LN2));
  let sum = code.real(inverseFactorials[19]!);
  for (let n = 18; n >= 0; n--) sum = code.add(code.real(inverseFactorials[n]!), code.mul(y, sum));
  // A double whose exponent is the integer.
  const scale = code.double(code.shl(code.integer(code.add(whole, code.real(1023))), 52));
  return code.mul(sum, scale);
}

/** An exact integer below 2^53 as a residue mod 2^width. */
export function integerCode(code: Builder, x: Term, width: number): Term {
  const high = code.floor(code.mul(x, code.real(2 ** -32)));
  const low = code.integer(code.sub(x, code.mul(high, code.real(2 ** 32))));
  const residue = code.add(code.shl(code.integer(high), 32), low);
  return code.mask(width <= 32 ? code.low(residue) : residue, width);
}

/** 2^x for |x| < 1000, relative error below 1e-15. */
export function powerOfTwo(x: number): number {
  const whole = Math.floor(x + 0.5);
  // 2 ** integer is exact in every engine: scale by repeated exact doubling instead of trusting Math.pow.
  let scale = 1;
  const factor = whole < 0 ? 0.5 : 2;
  for (let i = Math.abs(whole); i > 0; i--) scale *= factor;
  const y = (x - whole) * Math.LN2;
  // The Taylor sum, by Horner from the top.
  let sum = 0;
  for (let n = 19; n >= 0; n--) sum = inverseFactorials[n]! + y * sum;
  return sum * scale;
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
